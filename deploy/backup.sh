#!/bin/sh
# 备份一次：数据库、上传的文件（承诺书、检查照片、导出）、公布过的日志头。用法：deploy/backup.sh 存放目录
# 需要环境变量 DATABASE_OWNER_URL、VAR_DIR；MEDIA_ROOT 另设时也读它。KEEP_DAYS 天以前的备份删除，默认 30。
set -eu
umask 077
: "${DATABASE_OWNER_URL:?未设置}" "${VAR_DIR:?未设置}"
store=${1:?用法：deploy/backup.sh 存放目录}
media=${MEDIA_ROOT:-$VAR_DIR/media}
name=huigou-$(date +%Y%m%d-%H%M%S)
work=$store/.$name
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

# 先数据库、后文件：数据库里提到的文件都已经写好，多出来的不碍事。
pg_dump --format=custom --file="$work/database.dump" --dbname="$DATABASE_OWNER_URL"
[ ! -d "$media" ] || tar -C "$media" -czf "$work/media.tar.gz" .
[ ! -d "$VAR_DIR/heads" ] || cp -a "$VAR_DIR/heads" "$work/heads"

cd "$work"
find . -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS
sync
mv "$work" "$store/$name"  # 有这个名字的才是完整的一份
trap - EXIT
find "$store" -maxdepth 1 -type d -name 'huigou-*' -mtime "+${KEEP_DAYS:-30}" -exec rm -rf {} +
echo "已备份到 $store/$name"
