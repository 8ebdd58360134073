# Many at once read the same files and different ones.
rm -rf /tmp/read && mkdir -p /tmp/read
for number in 0 1 2 3 4 5 6 7; do
    (
        sha256sum reader_$number double_indirect reader_$(((number + 3) % 8)) holes
        find many | sort | tail -n +2 | head -n $((number * 10 + 20)) | xargs cat | sha256sum
    ) > /tmp/read/$number 2>&1 &
done
wait
cat /tmp/read/*
