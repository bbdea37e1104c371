"""Django's settings, all of them derived from `infra.settings`: nothing is read from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dj_database_url

from infra import settings as installation

BASE = Path(__file__).resolve().parent
WIREROOM = installation.load()
"""The installation's settings, for everything in the console that talks to Kafka or Redis."""

PRODUCTION = WIREROOM.environment == "production"
DEBUG = WIREROOM.debug
SECRET_KEY = WIREROOM.secret_key
ALLOWED_HOSTS = [host.strip() for host in WIREROOM.allowed_hosts.split(",") if host.strip()]
ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"

INSTALLED_APPS = [
    "unfold",  # before the admin, whose templates it replaces
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_celery_beat",
    "console.frame",
    "console.history",
    "console.front",
    "console.live",
    "console.articles",
    "console.datasets",
    "console.versions",
    "console.runs",
    "console.alerts",
    "console.cluster",
]

MIDDLEWARE = [
    "console.frame.middleware.security_headers",
    "console.frame.middleware.StaticFiles",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.frame.navigation.shell",
            ],
        },
    }
]

DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(WIREROOM.database_url, conn_health_checks=True)
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # One writer at a time: take the lock at BEGIN, where waiting for it works, and wait long.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # NORMAL loses no consistency in WAL: a power cut may take the last commits, and with them
        # the offsets that stand in the same commits, so that they are read again.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-32000; PRAGMA temp_store=MEMORY;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "front"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 0 if DEBUG else 300

# Cookies know no ports: two installations on one machine must not log each other out.
SESSION_COOKIE_NAME = f"wireroom-session-{WIREROOM.console_port}"
CSRF_COOKIE_NAME = f"wireroom-csrf-{WIREROOM.console_port}"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 24 * 60 * 60
SESSION_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_HTTPONLY = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": WIREROOM.log_level.upper()},
}

UNFOLD = {
    "SITE_TITLE": "Wireroom accounts",
    "SITE_HEADER": "Wireroom",
    "SITE_SUBHEADER": "accounts",
    "SITE_URL": "/",
    "SITE_SYMBOL": "rss_feed",
    "COLORS": {  # the console's own blue
        "primary": {
            "50": "#eef4ff",
            "100": "#dbe6fe",
            "200": "#bfd3fe",
            "300": "#93b4fd",
            "400": "#6090fa",
            "500": "#3b6ff5",
            "600": "#2553ea",
            "700": "#1d40d7",
            "800": "#1e36ae",
            "900": "#1e3389",
            "950": "#172153",
        }
    },
}
