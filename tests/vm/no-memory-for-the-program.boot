# A program that takes all memory is refused or killed; the kernel and the other programs go on.
cpus 2
memory 64M
script
    (x=x; while :; do x=$x$x; done) 2>/dev/null
    echo "still here"
stdout still here
seconds 240
