/* Where a processor's own file enters the program. */
#ifndef START_H
#define START_H

enum { FAULT = 92 };

__attribute__((noreturn)) void start(void);

/* The processor met an instruction or an address that it cannot take. */
__attribute__((noreturn)) void fault(void);

#endif
