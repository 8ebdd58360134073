# Disks that make no sense: every one is looked at wherever it lets itself be looked at, and the machine goes on.
for disk in /dev/vd?; do
    place=/tmp/$(basename $disk)
    mkdir -p $place
    if mount -t ext4 $disk $place 2>/dev/null; then
        (
            cd $place
            find . | head -n 4000 > $place.names
            ls -laR .
            head -n 400 $place.names | tr '\n' '\0' | xargs -0 stat
            find work ! -name far -type f | head -n 200 | tr '\n' '\0' | xargs -0 cat
            for link in work/*link*; do readlink $link; done
            dd if=work/far bs=64k skip=68660
            ./bin/busybox true
        ) > /tmp/words 2>&1 < /dev/null
        umount $place
    fi
    echo "$disk is done with"
done
