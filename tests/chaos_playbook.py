"""The playbook of the chaos tests: two actions of which the second helps, a person to be paged."""


def chaos_playbook(target_url: str, slack_url: str, mail_port: int) -> str:
    return f"""\
apiVersion: tocsin/v1
kind: Playbook
metadata: {{name: chaos}}
severities:
  - {{name: P0, acknowledge_within: 2m, automation: automatic}}
  - {{name: P1, acknowledge_within: 5m, automation: automatic}}
group: {{by: [service], reopen_within: 10s, watch_for: 1s}}
oncall:
  people:
    - name: ada
      contacts:
        - {{channel: slack, address: "#incidents"}}
        - {{channel: email, address: ada@chaos.example}}
escalate:
  - severities: [P0, P1]
    levels:
      - {{after: 0s, notify: ["person:ada"]}}
remediate:
  runbooks:
    - name: mend
      when: "incident.labels.service.startsWith('chaos')"
      steps:
        - name: first
          does: What does not help
          http: {{method: POST, url: "{target_url}/first", probe: {{url: "{target_url}/executions/{{execution_id}}"}}}}
          timeout: 2s
          verify: {{http: {{url: "{target_url}/health"}}, within: 500ms, every: 100ms}}
          on_failure: second
        - name: second
          does: What helps
          http: {{method: POST, url: "{target_url}/second", probe: {{url: "{target_url}/executions/{{execution_id}}"}}}}
          timeout: 2s
          verify: {{http: {{url: "{target_url}/health"}}, within: 3s, every: 100ms}}
          on_failure: escalate
      budget: {{actions: 10, per: 10m}}
communicate:
  channels:
    - name: slack
      slack: {{url: "{slack_url}", token: {{env: TOCSIN_SLACK_TOKEN}}}}
    - name: email
      smtp: {{host: 127.0.0.1, port: {mail_port}, from: tocsin@chaos.example}}
"""
