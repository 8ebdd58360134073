# Programs bound to each CPU in turn really run there, and the time is accounted to that CPU.
cpus 2 4
script
    n=0
    while [ $n -lt ${cpus} ]; do
        before=$(awk -v c=cpu$n '$1 == c { print $2 }' /proc/stat)
        taskset -c $n sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done'
        after=$(awk -v c=cpu$n '$1 == c { print $2 }' /proc/stat)
        test "$after" -gt "$before" || echo "CPU $n: $before, then $after"
        n=$((n + 1))
    done
    echo checked
stdout checked
