"""Every process, what the engine does, the two Valkeys, the queues, the lag of each partition."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from console.cluster import encoding, processes, servers
from console.history import reading
from console.history.models import Process


def cluster(request: HttpRequest) -> HttpResponse:
    """Show the cluster; htmx asks for its figures alone."""
    installation = settings.WIREROOM
    now = processes.read()
    context = {
        "cluster": now,
        "engines": encoding.engines(now.processes, installation.token_budget),
        "embeddings": encoding.embeddings(now.processes),
        "near_duplicates": installation.near_duplicates,
        "servers": [
            servers.read_valkey("cache", installation.cache),
            servers.read_valkey("tasks", installation.tasks),
        ],
        "queues": servers.queue_depths(installation.tasks),
        "lag": reading.strip().lag,
        "gpus": servers.gpus(),
        "kafka": installation.kafka,
    }
    template = (
        "cluster/figures.html" if request.headers.get("HX-Request") else "cluster/cluster.html"
    )
    return render(request, template, context)


@require_POST
def forget(request: HttpRequest) -> HttpResponse:
    """Expect a process no longer that was stopped for good."""
    Process.objects.filter(
        host=request.POST.get("host", ""), name=request.POST.get("name", "")
    ).delete()
    return redirect("cluster")
