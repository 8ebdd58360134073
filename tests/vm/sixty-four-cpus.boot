# As many CPUs as the kernel can use come up.
cpus 64
memory 1G
run /bin/busybox nproc
stdout 64
seconds 300
alone
