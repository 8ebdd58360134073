# Programs that never sleep, two for every CPU, do not keep another from running.
cpus 1 4
script
    i=0
    while [ $i -lt $((2 * ${cpus})) ]; do while :; do :; done & i=$((i + 1)); done
    sleep 1; echo ran; kill $(jobs -p); wait; echo gone
stdout ran
stdout gone
