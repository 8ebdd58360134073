# Standard input arrives as a pipe, with its end.
cpus 1 4
stdin one
stdin two
stdin three
run /bin/busybox sh -c 'test -t 0 || echo pipe; wc -l; echo done'
stdout pipe
stdout 3
stdout done
