# A program that an instruction of its own ends stands in the log, with that instruction and what the processor said of it.
cpus 1 4
run /tests/memory
log : exception 14, error 0x7, address 0x
log : signal 11; instruction 0x
