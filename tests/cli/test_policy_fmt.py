import json

from tests.cli.conftest import Home, Run

UGLY = '{"default": "deny", "version": "1"}'
NICE = '{\n  "version": "1",\n  "default": "deny"\n}\n'


def test_a_file_is_laid_out_in_place_and_keeps_its_mode(run: Run, home: Home) -> None:
    file = home.write_policy(UGLY)
    file.chmod(0o640)
    ran = run("policy", "fmt", str(file))
    assert (ran.code, ran.out, ran.err) == (0, f"`{file}` is laid out\n", "")
    assert (file.read_text("utf-8"), file.stat().st_mode & 0o777) == (NICE, 0o640)
    assert [found.name for found in file.parent.iterdir()] == ["policy.json"]
    ran = run("policy", "fmt")
    assert (ran.code, ran.out) == (0, f"`{file}` is laid out already\n")


def test_check_writes_nothing_and_shows_what_would_change(run: Run, home: Home) -> None:
    file = home.write_policy(UGLY)
    ran = run("policy", "fmt", "--check", str(file))
    assert ran.code == 1
    assert ran.out == (
        f'--- {file}\n+++ {file} (laid out)\n@@ -1 +1,4 @@\n-{UGLY}+{{\n+  "version": "1",\n+  "default": "deny"\n+}}\n'
    )
    assert ran.err == f"`{file}` is not laid out\nhint: `keyid-gateway policy fmt {file}`\n"
    assert file.read_text("utf-8") == UGLY
    file.write_text(NICE, encoding="utf-8")
    assert run("policy", "fmt", "--check", str(file)).code == 0


def test_a_link_stays_a_link(run: Run, home: Home) -> None:
    file = home.write_policy(UGLY)
    link = home.folder / "link.json"
    link.symlink_to(file)
    assert run("policy", "fmt", str(link)).code == 0
    assert link.is_symlink()
    assert file.read_text("utf-8") == NICE


def test_json(run: Run, home: Home) -> None:
    file = home.write_policy(UGLY)
    ran = run("policy", "fmt", "--check", "--json", str(file))
    assert (ran.code, json.loads(ran.out)) == (1, {"files": [{"file": str(file), "changed": True}]})


def test_what_is_no_policy_is_left_alone(run: Run, home: Home) -> None:
    file = home.write_policy('{"version": "1"}')
    ran = run("policy", "fmt", str(file))
    assert ran.code == 3
    assert ran.err.startswith(f"error: policy `{file}` has 1 mistake and is not taken\n")
    assert file.read_text("utf-8") == '{"version": "1"}'


def test_the_built_in_pack_has_no_file(run: Run) -> None:
    assert run("policy", "fmt").err == (
        "error: the built-in pack is in force, which has no file\nhint: name a policy: `policy fmt FILE`\n"
    )
