#!/bin/sh
# 把一份备份恢复到空的数据库（已用 roles.sql 建好），然后核对账目。用法：deploy/restore.sh 备份目录
# 先停网站、后台任务、定时任务。需要 huigou.env 与 owner.env 中的环境变量；FIELD_KEY、SIGNING_KEY 须是备份时的那几把，程序须是备份时的版本，核对以后再升级。
set -eu
: "${DATABASE_URL:?未设置}" "${DATABASE_OWNER_URL:?未设置}" "${VAR_DIR:?未设置}" "${FIELD_KEY:?未设置}"
backup=$(cd "${1:?用法：deploy/restore.sh 备份目录}" && pwd)
project=$(cd "$(dirname "$0")/.." && pwd)
media=${MEDIA_ROOT:-$VAR_DIR/media}
cd "$backup"
sha256sum --check --quiet SHA256SUMS || { echo "备份已损坏，未恢复"; exit 1; }
tables=$(psql -XAtqc "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'" "$DATABASE_OWNER_URL")
[ "$tables" = 0 ] || { echo "数据库不是空的（已有 $tables 张表），未恢复"; exit 1; }

pg_restore --no-owner --exit-on-error --single-transaction --dbname="$DATABASE_OWNER_URL" database.dump
mkdir -p "$media"
[ ! -f media.tar.gz ] || tar -C "$media" --skip-old-files -xzf media.tar.gz
# 已经公布的日志头只增不减：本机还在的那一份比备份新，不覆盖。
[ ! -d heads ] || [ -e "$VAR_DIR/heads/heads.jsonl" ] || cp -a heads "$VAR_DIR/"

cd "$project"
.venv/bin/python manage.py check_books || { echo "核对没有通过：不要开放，先查明（程序须与备份时的版本相同）"; exit 1; }
echo "已恢复，账目相符。核对备份时间以后的事项再开放，见 deploy/README.md"
