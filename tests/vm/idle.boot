# Four idle CPUs take fewer than five interrupts per second in all.
cpus 4
script
    count() { awk 'NR > 1 { for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+$/) n += $i; else break } END { print n + 0 }' /proc/interrupts; }
    sleep 2
    before=$(count); sleep 20; after=$(count)
    test "$before" -gt 0 || echo "/proc/interrupts counts nothing"
    test $((after - before)) -lt 100 && echo quiet || echo "$((after - before)) interrupts in 20 seconds"
stdout quiet
alone
