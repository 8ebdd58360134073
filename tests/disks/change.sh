# Everything that a program may do to its root, on files that were there before.
show() { stat -c '%n %f %s %h' "$@"; }
exec 3< one_page
echo more >> one_page
cat <&3 | sha256sum
sha256sum one_page
echo new > one && cat one
truncate -s 5000 page_and_one && truncate -s 100 direct_blocks && truncate -s 20000 direct_blocks
sha256sum page_and_one direct_blocks
printf middle | dd of=double_indirect bs=1 seek=1234567 conv=notrunc 2>/dev/null
sha256sum double_indirect
printf edge | dd of=holes bs=1 seek=300000 conv=notrunc 2>/dev/null
sha256sum holes
: > single_indirect && show single_indirect
echo both >> few/same && cat linked few/a && rm few/a && show linked few/same
chmod 640 empty one_block && chown 12:34 one_block && touch -d '2001-02-03 04:05:06' empty
show empty one_block && stat -c '%u %g' one_block && stat -c '%Y' empty
ln one_block another && show another one_block
mv one_block many/moved && show many/moved another
mv deep elsewhere && cat elsewhere/deeper/deepest/file && ls -R elsewhere
mv elsewhere/deeper/deepest top && ls top elsewhere/deeper
mv few few2 && mkdir few && ls few few2
echo again > few/a && cat few/a few2/b
rm -r few2 && ls -d few2 2>&1
rm link && ln -s one link && cat link && readlink dangling
rmdir many 2>&1
rm many/*_1?? && ls many | wc -l && ls many | tail -n 2
rm -r many && ls many 2>&1
mkdir many && ls many | wc -l
mkdir -p a/b/c && echo deep > a/b/c/d && mv a/b/c/d many/ && cat many/d
mkfifo few/pipe && (echo through > few/pipe &) && cat few/pipe
cp -r top copy && cat copy/file
cp double_indirect large && cmp double_indirect large && echo 'the same'
echo '#!/bin/sh' > program && echo 'echo runs' >> program && chmod +x program && ./program
exec 4<> reader_1
rm reader_1
head -c 20 <&4 && echo
echo tail >&4
ls reader_1 2>&1
ln -s loop loop && cat loop 2>&1
find . | sort | sha256sum
find . -type f -size -20000 | sort | tr '\n' '\0' | xargs -0 sha256sum
