"""What staff did in that month: hundreds of thousands of entries of the audit trail, by SQL.

As their pages write them: a third are logins and exports without words; the others hold what stood before and after,
in the few words that every entry of a kind has in common and some that only a few have. What a search finds is thus
one entry in a hundred thousand, one in a thousand, or every other one.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

from huigou.models import Department, Staff
from reports.models import wording

STAFF = 60  # accounts; each comes from four addresses of 10.0.0.0/8, and now and then from elsewhere
READER = "discipline-bench"  # who asks for the trail's pages
RARE = "雨天漏水"  # one entry in 5,003 says it

# (deed, table, how many of a hundred)
KINDS = (
    ("登录", "工作人员", 14),
    ("退出", "工作人员", 6),
    ("登录失败", "工作人员", 2),
    ("下载导出", "导出记录", 6),
    ("导出 Excel", "导出记录", 6),
    ("状态变更", "商家", 12),
    ("更新", "商家", 14),
    ("添加", "店面", 6),
    ("发放验证码", "店面", 8),
    ("查看完整姓名和手机号", "买家", 9),
    ("批准", "审批事项", 7),
    ("退回使用", "核销", 5),
    ("办理投诉", "投诉", 4),
    ("登记检查", "检查", 1),
)


def fill(entries: int) -> None:
    """Write so many entries of the last 33 days, the newest last."""
    Staff.objects.bulk_create(
        Staff(
            username=f"{list(Department)[number % len(Department)]}-{number:02}",
            department=list(Department)[number % len(Department)],
            person_key=f"bench-deeds-{number}",
        )
        for number in range(STAFF)
    )
    kinds = [(deed, table) for deed, table, share in KINDS for _ in range(share)]
    Staff.objects.create(username=READER, department=Department.DISCIPLINE, person_key="bench-reader", is_staff=True)
    given: dict[str, Any] = {"entries": entries, "rare": RARE, "staff": STAFF}
    given |= {"deeds": [deed for deed, _ in kinds], "tables": [table for _, table in kinds]}
    with connections["owner"].cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute("DROP INDEX audit_pairs")  # built at once it takes a fraction of entry by entry
        cursor.execute(_ENTRIES, given)
        cursor.execute(wording.BY_COLUMN)
        cursor.execute("VACUUM (ANALYZE) reports_auditentry")


_ENTRIES = """
INSERT INTO reports_auditentry (staff_id, department, at, address, deed, "table", "row", before, after, note)
SELECT s.id, s.department, now() - interval '33 days' * (1 - e.i::float8 / %(entries)s),
       CASE WHEN e.i %% 41 = 0 THEN '172.16.0.0'::inet ELSE '10.0.0.0'::inet END + (s.n * 251 + e.i %% 4 * 65536),
       e.deed, e.tab, (1 + h.a %% 4000)::text,
       CASE WHEN e.kind >= 34 THEN jsonb_build_object('状态', h.state, '企业', '乾安火锅店' || h.a %% 4000 || '号',
            '联系人', '王*', '地址', '测速县' || (ARRAY['城关', '河东', '南岭', '北屯'])[1 + h.b %% 4] || '镇'
            || h.b %% 97 || '号') ELSE '{}' END,
       CASE WHEN e.kind >= 34 THEN jsonb_build_object('状态', '暂停', '企业', '乾安火锅店' || h.a %% 4000 || '号')
            ELSE '{}' END,
       CASE WHEN e.kind >= 34 OR e.kind %% 3 = 0 THEN (ARRAY['价格投诉核查中', '抽查本月票据', '商家申请',
            '审计抽样核对', '更换联系人'])[1 + h.b %% 5] || '，第' || h.a %% 900 || '件'
            || CASE WHEN e.i %% 5003 = 0 THEN '，' || %(rare)s ELSE '' END ELSE '' END
  FROM (SELECT i, (hashint8extended(i, 1) & 1023) %% 100 AS kind,
               (%(deeds)s::text[])[1 + (hashint8extended(i, 1) & 1023) %% 100] AS deed,
               (%(tables)s::text[])[1 + (hashint8extended(i, 1) & 1023) %% 100] AS tab
          FROM generate_series(1, %(entries)s::bigint) i) e
 CROSS JOIN LATERAL (SELECT hashint8extended(e.i, 2) & 65535 AS a, hashint8extended(e.i, 3) & 65535 AS b,
               (ARRAY['参加中', '待审核', '待提交承诺书'])[1 + (hashint8extended(e.i, 4) & 255) %% 3] AS state) h
  JOIN (SELECT id, department, row_number() OVER (ORDER BY id) - 1 AS n FROM huigou_staff
         WHERE person_key LIKE 'bench-deeds-%%') s ON s.n = (hashint8extended(e.i, 5) & 1023) %% %(staff)s
 ORDER BY e.i
"""
