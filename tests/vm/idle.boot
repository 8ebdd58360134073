# Four idle CPUs take fewer than five interrupts per second in all.
cpus 4
script
    # By the shell alone: another program would be work, which is sampled.
    snapshot() { text=; while read -r line; do text="$text$line
    "; done < /proc/interrupts; }
    count() { echo "$1" | awk 'NR > 1 { for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+$/) n += $i; else break } END { print n + 0 }'; }
    sleep 2
    snapshot; before=$text; sleep 20; snapshot; after=$text
    before=$(count "$before"); after=$(count "$after")
    test "$before" -gt 0 || echo "/proc/interrupts counts nothing"
    test $((after - before)) -lt 100 && echo quiet || echo "$((after - before)) interrupts in 20 seconds"
stdout quiet
alone
