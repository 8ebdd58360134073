# With too little memory 11500K
cpus 1 4
memory 11500K
run /bin/busybox true
refused
