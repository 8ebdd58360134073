# Debian's dynamic git: a history with branches and merges, packed, cloned and checked.
# packages: bash coreutils git sed grep findutils
# memory: 1G
export LC_ALL=C TZ=UTC HOME=/tmp/home GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b.c GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b.c
export GIT_AUTHOR_DATE='1600000000 +0000' GIT_COMMITTER_DATE='1600000000 +0000' GIT_PAGER=cat
mkdir -p /tmp/home; cd /tmp
git config --global init.defaultBranch main; git config --global advice.detachedHead false
git init -q work; cd work
for i in $(seq 1 60); do mkdir -p dir$((i % 7)); seq $i $((i + 300)) > dir$((i % 7))/file$i; done
git add .; git commit -qm first; git rev-parse HEAD
for i in $(seq 1 12); do echo "change $i" >> dir$((i % 7))/file$i; git commit -qam "commit $i"; done
git log --oneline | wc -l; git log -3 --format='%h %s %ad' --date=iso; git diff --stat HEAD~3 | tail -3
git checkout -qb side HEAD~5; echo side > side; git add side; git commit -qm side; sed -i 1d dir1/file1; git commit -qam "a line less"
git checkout -q main; git merge -q --no-edit side; git rev-parse HEAD; git log --graph --oneline -6
git checkout -qb conflict HEAD~2; echo other > side; git add side; git commit -qm other; git merge main; echo "status $?"; git diff --name-only --diff-filter=U; git checkout --theirs side; git add side; git commit -qm resolved; git rev-parse HEAD
git tag -a v1 -m one; git describe; git blame -s dir1/file1 | head -2; git grep -n 'change 7'; git show --stat HEAD~1 | tail -2
git stash list; echo dirty >> side; git stash -q; git status --short; git stash pop -q; git status --short; git checkout -q side
git rebase -q main conflict; git log --oneline -3; git cherry-pick -x HEAD~1 > /dev/null 2>&1; echo "cherry $?"; git cherry-pick --abort 2>/dev/null; git reset -q --hard
git gc -q --aggressive --prune=now; git count-objects -v | grep -E 'count|in-pack|packs'; git fsck --full 2>&1 | tail -2
cd ..; git clone -q --no-hardlinks work clone; cd clone; git rev-parse HEAD; git log --oneline | wc -l; git branch -a | wc -l
git -c protocol.file.allow=always fetch -q origin; git ls-files | wc -l; git archive --format=tar HEAD dir1 | sha1sum
cd ..; git clone -q --bare work bare.git; git -C work push -q ../bare.git main:pushed; git -C bare.git log --oneline -1 pushed
git -C work worktree add -q ../tree2 v1 && ls tree2 | wc -l; git -C work bisect start -q HEAD HEAD~8 2>/dev/null | tail -1; git -C work bisect run sh -c 'test "$(git rev-list --count HEAD)" -lt 10' 2>/dev/null | grep 'is the first bad'
git -C work submodule status | wc -l; git -C work bundle create -q ../b.bundle main && git bundle verify -q b.bundle && echo bundle; echo status $?
