#!/usr/bin/env bash
# Run a command on a Slurm cluster of its own, on loopback: tests/engines/slurm.sh COMMAND ARGUMENTS…
# (--install: only install what it needs).
# Two nodes, accounting, no systemd, no cgroups; all of it lives in a temporary folder and is stopped at the end,
# however the command ends. Exit code: the command's; 77 where Slurm is missing and cannot be installed.
set -euo pipefail

PACKAGES=(slurm-wlm slurmdbd munge mariadb-server)
PROGRAMS=(munged mariadbd mariadb-install-db slurmdbd slurmctld slurmd sbatch)
PATH=$PATH:/usr/sbin:/sbin

missing() {
  for program in "${PROGRAMS[@]}"; do
    command -v "$program" > /dev/null || echo "$program"
  done
}

install() {
  [ "$(id -u)" = 0 ] || { echo "slurm.sh: a Slurm of its own needs root" >&2; exit 77; }
  [ -z "$(missing)" ] && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "slurm.sh: there is no $(missing | paste -sd ' '); root on Debian gets them by apt-get install ${PACKAGES[*]}" >&2
    exit 77
  fi
  export DEBIAN_FRONTEND=noninteractive
  if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${PACKAGES[@]}"; } > "$folder/apt.log" 2>&1; then
    tail -n 5 "$folder/apt.log" >&2
    echo "slurm.sh: apt-get could not install ${PACKAGES[*]}" >&2
    exit 77
  fi
}

# Ports that nobody listens on, one per line.
free_ports() {
  python3 - "$1" << 'PYTHON'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for each in sockets:
    each.bind(("127.0.0.1", 0))
print(*[each.getsockname()[1] for each in sockets], sep="\n")
PYTHON
}

# Wait until a command succeeds, for at most 30 s; else say which of them did not, with the daemons' last words.
until_done() {
  for _ in $(seq 150); do
    "$@" > "$folder/waiting.log" 2>&1 && return
    sleep 0.2
  done
  tail -n 15 "$folder"/*.log >&2
  echo "slurm.sh: gave up waiting for: $*" >&2
  exit 1
}

write_configuration() {
  mapfile -t port < <(free_ports 5)
  local host
  host=$(hostname -s)
  mkdir -p "$folder"/{state,spool-a,spool-b,database}
  head -c 1024 /dev/urandom > "$folder/munge.key"
  cat > "$folder/slurm.conf" << CONF
ClusterName=qsense
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${port[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
# Quick, for tests: seconds instead of minutes until something is noticed.
JobRequeue=1
KillWait=2
SlurmdTimeout=10
InactiveLimit=0
MinJobAge=10
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,requeue_setup_env_fail
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
# A job of the urgent partition takes the place of one of the default partition, which gets SIGTERM and 20 s.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=${port[1]}
AccountingStoragePass=$folder/munge.socket
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
NodeName=a NodeHostname=$host NodeAddr=127.0.0.1 Port=${port[2]} CPUs=2 RealMemory=16000
NodeName=b NodeHostname=$host NodeAddr=127.0.0.1 Port=${port[3]} CPUs=2 RealMemory=16000
PartitionName=main Nodes=ALL Default=YES PriorityTier=1 GraceTime=20 MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=ALL PriorityTier=2 MaxTime=INFINITE State=UP
CONF
  cat > "$folder/slurmdbd.conf" << CONF
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=${port[1]}
SlurmUser=root
PidFile=$folder/slurmdbd.pid
LogFile=$folder/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=${port[4]}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
CONF
  chmod 600 "$folder/slurmdbd.conf" "$folder/munge.key"
  # One statement a line, as mariadbd reads them at its start.
  cat > "$folder/database.sql" << SQL
CREATE DATABASE slurm;
CREATE USER slurm IDENTIFIED BY 'slurm';
GRANT ALL ON slurm.* TO slurm;
SQL
}

# Each daemon stays in the foreground of a process of ours, so that it can be stopped by its number.
daemon() {
  local name=$1
  shift
  "$@" >> "$folder/$name.log" 2>&1 < /dev/null &
  daemons+=($!)
  disown  # so that bash does not report it when a test kills it
}

start() {
  daemon munged munged --foreground --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" \
    --pid-file="$folder/munged.pid" --seed-file="$folder/munge.seed" --log-file="$folder/munged-log.log"
  mariadb-install-db --no-defaults --datadir="$folder/database" --user=root --skip-test-db > "$folder/database-install.log" 2>&1
  daemon mariadbd mariadbd --no-defaults --datadir="$folder/database" --user=root --bind-address=127.0.0.1 \
    --port="${port[4]}" --socket="$folder/database.socket" --init-file="$folder/database.sql" --skip-name-resolve
  until_done munge --no-input --socket="$folder/munge.socket"
  until_done mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --port="${port[4]}" --user=slurm --password=slurm --execute="SELECT 1" slurm
  daemon slurmdbd slurmdbd -D
  until_done sacctmgr --immediate --noheader list cluster
  sacctmgr --immediate add cluster qsense > "$folder/cluster.log"
  daemon slurmctld slurmctld -D
  daemon slurmd-a slurmd -D -N a
  daemon slurmd-b slurmd -D -N b
  until_done eval 'test "$(sinfo --noheader --Node --partition=main --states=idle | wc -l)" = 2'
}

stop() {
  trap '' INT TERM
  [ ${#daemons[@]} = 0 ] || scancel --user="$(id -u)" 2> /dev/null || true
  kill "${daemons[@]}" 2> /dev/null || true
  for _ in $(seq 50); do
    kill -0 "${daemons[@]}" 2> /dev/null || break
    sleep 0.1
  done
  kill -9 "${daemons[@]}" 2> /dev/null || true
  rm -rf "$folder"
}

folder=$(mktemp -d /tmp/qsense-slurm-XXXXXX)
chmod 755 "$folder"
daemons=()
trap stop EXIT
trap 'tail -n 5 "$folder"/*.log >&2' ERR
trap 'exit 130' INT
trap 'exit 143' TERM
install
[ "$1" = --install ] && exit
export SLURM_CONF=$folder/slurm.conf QSENSE_TEST_SLURM=$folder
write_configuration
start
"$@"
