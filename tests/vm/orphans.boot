# Process 1 waits for the orphans it is given; the machine ends when it does, whoever still runs.
cpus 1 4
script
    sh -c 'sh -c "sleep 1; exit 9" & exit 0'
    sleep 2
    ps -o stat,args | grep -c '^Z' || echo no zombies
    sleep 1000 &
    exit 4
stdout 0
stdout no zombies
status 4
