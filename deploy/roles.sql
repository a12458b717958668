-- 由数据库管理员执行一次（PostgreSQL 15 至 18）：
--   psql -v owner_password="'…'" -v web_password="'…'" -f deploy/roles.sql postgres
-- huigou_owner 拥有数据库，只用于升级数据库结构；huigou_web 供网站与后台任务使用，不拥有任何对象。
-- 各表的权限由 manage.py migrate 在每次升级后自动授予，账本、日志、事件各表只许新增与查询。

SET password_encryption = 'scram-sha-256';
CREATE ROLE huigou_owner LOGIN PASSWORD :owner_password;
CREATE ROLE huigou_web LOGIN PASSWORD :web_password;
GRANT huigou_web TO huigou_owner;
CREATE DATABASE huigou OWNER huigou_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE huigou FROM PUBLIC;
GRANT CONNECT ON DATABASE huigou TO huigou_web;

\connect huigou
-- PostgreSQL 15 起，普通角色本就不能在 public 下建表；此处再写明一次。
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
