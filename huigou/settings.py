"""All settings, read from the environment once, refusing a bad value at start.

With none set, the embedded servers under ``var/`` and generated keys there are used (a demo on one machine). With
``DATABASE_URL`` set this is a deployment, and a missing key is refused.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from huigou import embedded, logs, theme

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    """Return a setting that must be one of ``allowed``."""
    value = env.str(name, default=default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r}: must be one of {', '.join(allowed)}")
    return value


def positive(name: str, default: int) -> int:
    """Return a whole number above zero."""
    value = env.int(name, default=default)
    if value <= 0:
        raise ImproperlyConfigured(f"{name}={value}: must be above zero")
    return value


VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))
DEPLOYED = "DATABASE_URL" in os.environ and not env.bool("HUIGOU_EMBEDDED", default=False)


def kept_secret(name: str) -> str:
    """Return a key from the environment; on one machine without a deployment, one generated once under var/."""
    if value := env.str(name, default=""):
        return value
    if DEPLOYED:
        raise ImproperlyConfigured(f"{name} is not set: a deployment must be given its keys")
    path = VAR_DIR / "keys" / name.lower()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as out:
            out.write(secrets.token_hex(32))
        # A hard link loses against another process that made the key first, and then we read theirs.
        with contextlib.suppress(FileExistsError):
            os.link(path.with_suffix(".new"), path)
    return path.read_text().strip()


SECRET_KEY = kept_secret("SECRET_KEY")
FIELD_KEY = kept_secret("FIELD_KEY")
FIELD_CIPHER = choice("FIELD_CIPHER", ("aes", "sm4"), "aes")
try:
    if len(bytes.fromhex(FIELD_KEY)) != 32:
        raise ValueError
except ValueError:
    raise ImproperlyConfigured("FIELD_KEY must be 64 hexadecimal digits (32 bytes)") from None
SIGNING_KEY = kept_secret("SIGNING_KEY")  # Ed25519 seed, 64 hexadecimal digits: signs the heads of the draw's log

DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("DEMO", default=not DEPLOYED)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if not DEPLOYED else [])
# Who may say for whom a request comes (X-Forwarded-For): limits count people's addresses, not the proxy's.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=["127.0.0.1"] if DEPLOYED else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_URL = env.str("SITE_URL", default="").rstrip("/")

_local = None if DEPLOYED else embedded.addresses(VAR_DIR)
DATABASE_URL = env.str("DATABASE_URL", default="") or (_local.database_url if _local else "")
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", default="")
REDIS_URL = env.str("REDIS_URL", default="") or (_local.redis_url if _local else "")
if DEPLOYED and not REDIS_URL:
    raise ImproperlyConfigured("REDIS_URL is not set")
# The owner's address serves migrate, demo and test set-up; a serving process never learns it.
if _local and not DATABASE_OWNER_URL and not env.bool("HUIGOU_SERVING", default=False):
    DATABASE_OWNER_URL = _local.owner_url


def database(url: str) -> dict[str, Any]:
    """Return one Django database from a URL; anything but PostgreSQL is refused."""
    config = env.db_url_config(url)
    if not config["ENGINE"].endswith("postgresql"):
        raise ImproperlyConfigured("PostgreSQL is the only database (DATABASE_URL=postgres://...)")
    config.setdefault("OPTIONS", {})
    # No session-scoped feature is used, so that a transaction-mode pooler can come in between.
    return {**config, "DISABLE_SERVER_SIDE_CURSORS": True, "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60)}


DATABASES = {"default": database(DATABASE_URL)}
if DATABASE_OWNER_URL:
    DATABASES["owner"] = {**database(DATABASE_OWNER_URL), "TEST": {"MIRROR": "default"}}

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "hg",
    }
}

INSTALLED_APPS = [
    "huigou.apps.HuigouConfig",
    "coupons.apps.CouponsConfig",
    "merchants.apps.MerchantsConfig",
    "reports.apps.ReportsConfig",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "pgtrigger",
    "django_altcha",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "csp",
    "django_prometheus",
]

MIDDLEWARE = [
    "huigou.middleware.LogContextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "huigou.second_step.SecondStepMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "huigou.middleware.RefusalMiddleware",
]

ROOT_URLCONF = env.str("ROOT_URLCONF", default="huigou.urls")  # the benchmark adds addresses of its own
WSGI_APPLICATION = "huigou.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "huigou.context.site",
            ],
        },
    },
]

AUTH_USER_MODEL = "huigou.Staff"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "huigou.backends.DepartmentBackend",  # rights come from the department
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/admin/"
STAFF_TOTP = env.bool("STAFF_TOTP", default=DEPLOYED and not DEMO)
OTP_TOTP_ISSUER = "惠购乾城"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.5  # hours
AXES_LOCKOUT_PARAMETERS = ["username"]
# Offices share one address: locking it would lock a whole bureau, while the account alone stops guessing.
SILENCED_SYSTEM_CHECKS = ["axes.W006"]
AXES_LOCKOUT_TEMPLATE = "errors/lockout.html"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False  # failed logins and lock-outs stand in the audit trail

LANGUAGE_CODE = "zh-hans"
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = ["huigou.formats"]
LOCALE_PATHS = [BASE_DIR / "huigou" / "locale"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(VAR_DIR / "media")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "huigou.staticstore.Storage"},
}
if DEBUG or env.bool("PLAIN_STATIC", default=False):
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    WHITENOISE_USE_FINDERS = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024  # a 12-megapixel photo of a QR code
FILE_UPLOAD_PERMISSIONS = 0o640

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "huigou.views.csrf_failure"
if env.bool("HTTPS", default=DEPLOYED):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

CONTENT_SECURITY_POLICY = {
    # The admin's theme evaluates expressions; it gets a policy of its own in huigou/middleware.py.
    "EXCLUDE_URL_PREFIXES": ("/admin/",),
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "worker-src": [SELF, "blob:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "huigou.api.exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "惠购乾城",
    "DESCRIPTION": "消费券抽取与核销接口",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "tryItOutEnabled": False, "validatorUrl": None},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "huigou.api_description.describe_refusals",
    ],
}


def broker(redis_url: str) -> str:
    """Return the address of the same Redis database as Celery writes it: a socket has a form of its own there."""
    if not redis_url.startswith("unix://"):
        return redis_url
    address = urlsplit(redis_url)
    number = parse_qs(address.query).get("db", ["0"])[0]
    return f"redis+socket://{address.path}?virtual_host={number}"


CELERY_BROKER_URL = broker(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = TIME_ZONE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False  # a broker that is down must not hold up a page: the sweeps catch up
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

UNFOLD = theme.UNFOLD

IMPORT_EXPORT_USE_TRANSACTIONS = True
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True
IMPORT_EXPORT_ESCAPE_ILLEGAL_CHARS_ON_EXPORT = True

ALTCHA_HMAC_KEY = SECRET_KEY
PROMETHEUS_EXPORT_MIGRATIONS = False
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # lets a Prometheus elsewhere read /metrics; empty: this machine

SMS_BACKEND = choice("SMS_BACKEND", ("console", "file", "http", "tencent", "aliyun"), "console")
if DEPLOYED and not DEMO and SMS_BACKEND in ("console", "file") and "pytest" not in sys.modules:
    raise ImproperlyConfigured("SMS_BACKEND must name a real gateway in a deployment (or set DEMO=true)")
SMS_FILE_DIR = Path(env.str("SMS_FILE_DIR", default=str(VAR_DIR / "sms")))
SMS_GATEWAY_URL = env.str("SMS_GATEWAY_URL", default="")
SMS_GATEWAY_TOKEN = env.str("SMS_GATEWAY_TOKEN", default="")
SMS_SIGN_NAME = env.str("SMS_SIGN_NAME", default="惠购乾城")
SMS_TEMPLATE_ID = env.str("SMS_TEMPLATE_ID", default="")
SMS_TEMPLATE_SHOP_ID = env.str("SMS_TEMPLATE_SHOP_ID", default="")  # variables shop, code, days, in this order
SMS_ACCESS_ID = env.str("SMS_ACCESS_ID", default="")
SMS_ACCESS_SECRET = env.str("SMS_ACCESS_SECRET", default="")
SMS_SDK_APP_ID = env.str("SMS_SDK_APP_ID", default="")  # tencent: the SMS application's id
SMS_REGION = env.str("SMS_REGION", default="ap-guangzhou")  # tencent
SMS_GATEWAY_BODY = env.str("SMS_GATEWAY_BODY", default="")  # http: JSON with placeholders, see huigou/sms/http.py
SMS_GATEWAY_OK = env.str("SMS_GATEWAY_OK", default="")  # http: path=value of an answer that means "taken"
SMS_TIMEOUT_S = positive("SMS_TIMEOUT_S", 5)
SMS_PER_ADDRESS = positive("SMS_PER_ADDRESS", 1_000)  # a day; a carrier puts half a town behind one address
PHONES_PER_DEVICE = positive("PHONES_PER_DEVICE", 5)  # that may bind on one phone in a day: a family
SMS_DAILY_BUDGET = positive("SMS_DAILY_BUDGET", 50_000)  # messages a day, all phones together

WECHAT_APP_ID = env.str("WECHAT_APP_ID", default="")
WECHAT_APP_SECRET = env.str("WECHAT_APP_SECRET", default="")
WECHAT_API_BASE = env.str("WECHAT_API_BASE", default="https://api.weixin.qq.com")
WECHAT_OPEN_BASE = env.str("WECHAT_OPEN_BASE", default="https://open.weixin.qq.com")
WECHAT_FIELDS = {
    "won": "thing1=what thing2=until",
    "expiring": "thing1=what thing2=until",
    "used": "thing1=what thing2=where time3=when_time",
}


def subscribe_template(kind: str) -> tuple[str, dict[str, str]]:
    """Return a subscribe template's id and what stands in each of its fields: ``ID thing1=what time2=until_time``."""
    template, *fields = env.str(f"WECHAT_TEMPLATE_{kind.upper()}", default="").split() or [""]
    pairs = [field.partition("=") for field in fields or WECHAT_FIELDS[kind].split()]
    if not all(name and word for name, _, word in pairs):
        raise ImproperlyConfigured(f"WECHAT_TEMPLATE_{kind.upper()}: ID field=word field=word ...")
    return template, {name: word for name, _, word in pairs}


# kind of message: the subscribe template and its fields, from WECHAT_TEMPLATE_WON, _EXPIRING, _USED
WECHAT_TEMPLATES = {kind: made for kind in WECHAT_FIELDS if (made := subscribe_template(kind))[0]}
# 一次性订阅消息: one template of the account serves all kinds; each tap allows one message, asked at this address.
WECHAT_ONCE_TEMPLATE = env.str("WECHAT_ONCE_TEMPLATE", default="")
WECHAT_MP_BASE = env.str("WECHAT_MP_BASE", default="https://mp.weixin.qq.com")
# The script that gives pages inside WeChat its own scanner and position; loaded there alone, from WeChat.
WECHAT_JSSDK_URL = env.str("WECHAT_JSSDK_URL", default="https://res.wx.qq.com/open/js/jweixin-1.6.0.js")
# Content of the file MP_verify_….txt by which WeChat sees that the address is ours.
WECHAT_VERIFY = env.str("WECHAT_VERIFY", default="")
WECHAT_TIMEOUT_S = positive("WECHAT_TIMEOUT_S", 5)

WAITING_PER_S = positive("WAITING_PER_S", 300)  # people let in to the wheel a second once the burst is used up
WAITING_BURST = positive("WAITING_BURST", 3_000)  # people let in at once before anybody waits
DRAW_BATCH_MAX = positive("DRAW_BATCH_MAX", 256)  # draws that may share one transaction
# Server-side prepared statements on the writer's own connection; 0 turns them off behind a transaction-mode pooler.
DRAW_PREPARE_THRESHOLD = env.int("DRAW_PREPARE_THRESHOLD", default=5) or None
LOGGING = logs.configuration(choice("LOG_FORMAT", ("plain", "json"), "json" if DEPLOYED else "plain"))
