# qsense in a container. For GPUs: docker build -t qsense . and run it with --gpus all
# For CPUs alone, a fifth of the size: --build-arg TORCH_INDEX=ADDRESS, PyTorch's index of CPU builds.
FROM python:3.13-slim

# No versions are pinned (DL3008, DL3013): pyproject.toml has the bounds, and the newest within them is tested.
# A compiler makes converters with memory fast, and checks exported C; Icarus checks exported Verilog.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev iverilog \
    && rm -rf /var/lib/apt/lists/*

# torch and torchvision together, from one index, before the code: a change of the code does not fetch them again.
ARG TORCH_INDEX=""
# hadolint ignore=DL3013
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch>=2.11" torchvision

WORKDIR /opt/qsense
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY conf conf
COPY sweeps sweeps
# hadolint ignore=DL3013
RUN pip install --no-cache-dir ".[export,parallel]"

# Data is read from /data, runs are written to /work/runs: mount both.
RUN useradd --create-home --uid 1000 user && mkdir /work /data && chown user /work
USER 1000
WORKDIR /work
ENV QSENSE_DATA=/data
ENTRYPOINT ["qsense"]
CMD ["--help"]
