# A megabyte of output arrives whole.
cpus 2
script
    i=0; line=$(printf '%01023d' 0)
    while [ $i -lt 1024 ]; do echo "$line"; i=$((i + 1)); done | tee /tmp/copy | wc -c
    cat /tmp/copy >&2
stdout 1048576
stderr 0000000000
seconds 240
