# A first program that does not exist is named in the log, and the status is a shell's.
cpus 1 4
run /no/such/program
log /no/such/program
status 127
