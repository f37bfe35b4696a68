"""Errors of every origin are problem documents."""

from flask import Flask

from tests.service.validation import Client


def test_errors_of_every_origin_are_problem_documents(app: Flask, http: Client) -> None:
    assert http.get("/nowhere").json["code"] == "not_found"
    refused = http.put("/v1/jobs")
    assert (refused.status_code, set(refused.headers["Allow"].split(", "))) == (405, {"GET", "HEAD", "POST"})
    assert http.post("/v1/jobs", data="{}").status_code == 415

    def broken() -> None:
        raise RuntimeError("a secret")

    app.view_functions["GET /healthz"] = broken
    crashed = http.get("/healthz")
    assert (crashed.status_code, crashed.json["code"]) == (500, "internal_error")
    assert "secret" not in crashed.text
    assert crashed.content_type == "application/problem+json"
