// The page is made by the server. This fetches it again when the agent says that
// something happened, and puts it in place of what is there.
const main = document.querySelector("main");
const live = document.querySelector("#live");
let fetching = false, again = false;

function say(text, kind) {
  live.textContent = text;
  live.className = kind;
}

async function refresh() {
  if (fetching) { again = true; return; }
  fetching = true;
  try {
    const answer = await fetch("/web/fragment", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = new Set([...main.querySelectorAll("details[open]")].map((d) => d.id));
    for (const d of fresh.querySelectorAll("details")) d.open = d.open || open.has(d.id);
    main.replaceChildren(...fresh.body.childNodes);
    say("live", "good");
  } catch (e) {
    say("no answer: " + e.message, "bad");
  }
  fetching = false;
  if (again) { again = false; refresh(); }
}

const stream = new EventSource("/web/stream");
stream.onopen = () => say("live", "good");
stream.onmessage = refresh;
stream.onerror = () => say("connection lost, trying again", "bad");

// Commands go by the control interface, as those of the command line do.
main.addEventListener("click", async (e) => {
  const b = e.target.closest("button[data-kind]");
  if (!b) return;
  const { kind, instance } = b.dataset;
  if (!confirm(`${kind} of ${instance}?`)) return;
  b.disabled = true;
  try {
    const answer = await fetch("/v1/move", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ kind, instances: [instance] }),
    });
    const said = await answer.json();
    const outcome = said.error || said.outcomes.map((o) => `${o.instance}: ${o.done ? "done" : "not done"}, ${o.state}: ${o.text}`).join("\n");
    alert(outcome);
  } catch (err) {
    alert(err.message);
  }
  refresh();
});
