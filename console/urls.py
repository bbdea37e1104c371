"""Every address of the console."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from console.alerts.views import alerts
from console.articles.explaining import explain, explanation
from console.articles.letters import deadletter, deadletters
from console.articles.views import article, articles
from console.cluster.views import cluster, forget
from console.datasets.views import dataset, datasets
from console.front.views import front, series, status
from console.live.views import live, stream
from console.runs.report_page import report, report_json
from console.runs.schedule import schedule
from console.runs.views import cancel_run, run, runs, start_run
from console.versions.views import deploy, rollback, version, versions

urlpatterns: list[URLPattern | URLResolver] = [
    path("", front, name="front"),
    path("series.json", series, name="series"),
    path("status/", status, name="status"),
    path("live/", live, name="live"),
    path("live/stream/", stream, name="stream"),
    path("articles/", articles, name="articles"),
    path("articles/one/", article, name="article"),
    path("articles/explain/", explain, name="explain"),
    path("articles/explanation/<str:question>/", explanation, name="explanation"),
    path("deadletters/", deadletters, name="deadletters"),
    path("deadletters/<int:number>/", deadletter, name="deadletter"),
    path("models/", versions, name="versions"),
    path("models/<str:name>/", version, name="version"),
    path("models/<str:name>/deploy/", deploy, name="deploy"),
    path("classifiers/<str:classifier>/rollback/", rollback, name="rollback"),
    path("datasets/", datasets, name="datasets"),
    path("datasets/<str:name>/", dataset, name="dataset"),
    path("runs/", runs, name="runs"),
    path("runs/start/", start_run, name="start_run"),
    path("runs/schedule/", schedule, name="schedule"),
    path("runs/<uuid:number>/", run, name="run"),
    path("runs/<uuid:number>/report/", report, name="report"),
    path("runs/<uuid:number>/report.json", report_json, name="report_json"),
    path("runs/<uuid:number>/cancel/", cancel_run, name="cancel_run"),
    path("alerts/", alerts, name="alerts"),
    path("cluster/", cluster, name="cluster"),
    path("cluster/forget/", forget, name="forget"),
    path(
        "login/",
        LoginView.as_view(template_name="frame/login.html", redirect_authenticated_user=True),
        name="login",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("accounts/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url="/static/console/mark.svg")),
]
handler404 = "console.frame.errors.not_found"
handler500 = "console.frame.errors.server_error"
