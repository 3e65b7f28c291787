// What the reviewer decides, kept over a reload, and the file that `reelwarden review apply` reads.
const storageKey = `reelwarden.review.${data.report_sha256}`;
const decisions = data.findings.map(() => ({ decision: null, note: "" }));
let current = -1;

const sameSegment = (one, other) => one.domain === other.domain && one.label === other.label
  && one.start_seconds === other.start_seconds && one.end_seconds === other.end_seconds
  && (one.item ?? null) === (other.item ?? null);

function loadDecisions() {
  for (const item of data.review?.segments ?? []) {
    const number = data.findings.findIndex((finding) => sameSegment(finding, item));
    if (number >= 0) decisions[number] = { decision: item.decision, note: item.note };
  }
  try {
    const saved = JSON.parse(kept.get(storageKey) ?? "[]");
    if (Array.isArray(saved) && saved.length === decisions.length) saved.forEach((item, number) => { decisions[number] = item; });
  } catch { /* what was kept is damaged: begin anew */ }
  byId("reviewer").value = data.review?.reviewer ?? kept.get("reelwarden.reviewer") ?? "";
}

function decide(number, decision) {
  if (number < 0) return;
  const own = decisions[number];
  own.decision = own.decision === decision ? null : decision;
  save();
  showDecision(number);
  showProgress();
  announce(`${data.findings[number].title}: ${own.decision ? `${own.decision}ed` : "undecided"}`);
}

const save = () => kept.set(storageKey, JSON.stringify(decisions));
const announce = (text) => { byId("announce").textContent = text; };

function showDecision(number) {
  const { decision, note } = decisions[number];
  const item = document.querySelector(`.finding[data-finding="${number}"]`);
  for (const button of all("[data-decide]", item)) {
    button.setAttribute("aria-pressed", String(button.dataset.decide === decision));
  }
  const state = item.querySelector(".state");
  state.dataset.state = decision ?? "";
  state.textContent = { accept: "✓ accepted", reject: "✕ rejected" }[decision] ?? "";
  const area = item.querySelector("textarea");
  if (area.value !== note) area.value = note;
  for (const bar of all(`.bar[data-finding="${number}"]`)) {
    bar.classList.toggle("accept", decision === "accept");
    bar.classList.toggle("reject", decision === "reject");
  }
}

function showProgress() {
  const done = decisions.filter((item) => item.decision).length;
  byId("progress").textContent = decisions.length ? `${done} of ${decisions.length} decided` : "";
}

function filterFindings() {
  const wanted = byId("filter").value;
  let left = 0;
  for (const item of all(".finding")) {
    const decided = Boolean(decisions[Number(item.dataset.finding)].decision);
    item.hidden = (wanted === "open" && decided) || (wanted === "decided" && !decided);
    left += item.hidden ? 0 : 1;
  }
  if (byId("filtered-out")) byId("filtered-out").hidden = left > 0;
}

function select(number, { jump = true, focus = false } = {}) {
  if (!(number in data.findings)) return;
  current = number;
  for (const item of all(".finding")) {
    const chosen = Number(item.dataset.finding) === number;
    item.classList.toggle("current", chosen);
    item.querySelector(".finding-head").setAttribute("aria-expanded", String(chosen));
    item.querySelector(".finding-body").hidden = !chosen;
    if (!chosen) continue;
    item.hidden = false;
    if (focus) item.querySelector(".finding-head").focus({ preventScroll: true });
    scrollInside(byId("finding-list"), item);
  }
  for (const bar of all(".bar[data-finding]")) bar.classList.toggle("current", Number(bar.dataset.finding) === number);
  const finding = data.findings[number];
  if (jump && stage) clock.seek(finding.jump_seconds);
  announce(`Finding ${number + 1} of ${data.findings.length}: ${finding.title}, ${timeText(finding.start_seconds)}`);
}

function scrollInside(list, item) { // the page itself stays where it is
  const above = item.offsetTop - list.offsetTop, below = above + item.offsetHeight;
  if (above < list.scrollTop) list.scrollTop = above;
  else if (below > list.scrollTop + list.clientHeight) list.scrollTop = below - list.clientHeight;
}

function exported(reviewer) {
  const segments = [];
  decisions.forEach(({ decision, note }, number) => {
    const { domain, label, start_seconds, end_seconds, item } = data.findings[number];
    if (decision) segments.push({ domain, label, start_seconds, end_seconds, decision, note, item });
  });
  const reviewed_at = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  return { reviewer, reviewed_at, report_sha256: data.report_sha256, segments };
}

function openExport() {
  if (!data.findings.length) return;
  const done = decisions.filter((item) => item.decision).length, notes = decisions.filter((item) => item.note && !item.decision).length;
  const left = decisions.length - done;
  byId("export-summary").textContent = `${done} of ${decisions.length} findings are decided.`
    + (left ? ` The other ${left} are left out${notes ? `, with ${notes} notes` : ""}.` : "");
  byId("export").showModal();
}

function saveFile() {
  const reviewer = byId("reviewer").value.trim();
  kept.set("reelwarden.reviewer", reviewer);
  const text = JSON.stringify(exported(reviewer), null, 2) + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "decisions.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  announce("Decisions saved");
}
