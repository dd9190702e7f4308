// The report in the browser: sections drawn from data that scripts of data/ push, as loaded. Every text is set as text, never as markup.
"use strict";

const RELATIONS = { exact: "exact copy", near: "near copy", derivative: "rewrite" };
const MANY = { "": "All relations", exact: "With exact copies", near: "With near copies", derivative: "With rewrites" };
const SECTIONS = {
  overview: "Overview",
  news: "New",
  clusters: "Clusters",
  sources: "Sources",
  removed: "Removed",
  repairs: "Repairs",
  quarantine: "Quarantine",
  run: "The run",
};
const CHANGES = { added: "new", changed: "changed", removed: "gone", rekeyed: "told by another" };
const ORDERS = { chosen: "First to see", doubt: "Most doubtful", size: "Largest", newest: "Newest" };
const ROWS = 100; // that are drawn at once

const parts = {}; // what data/NNN.js pushed, by number
const waiting = {}; // who waits for a part
let report = null; // data/000.js
let view = {}; // what the address says: section, cluster, member, q, source, relation, order, anew, kind, rule
let listed = []; // the clusters that the filters leave
let tried = false; // to load all parts, for a search
let filled = ""; // what the list of clusters shows
let drawn = null; // the address that is drawn

window.copydesk = {
  push(number, data) {
    parts[number] = data;
    if (number === 0) start(data);
    for (const done of waiting[number] ?? []) done(data);
  },
};

// ---- small things ----------------------------------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);
const figure = (number) => number.toLocaleString("en");
const plural = (number, one, many = `${one}s`) => `${figure(number)} ${number === 1 ? one : many}`;
const percent = (share) => (share > 0 && share < 0.001 ? "under 0.1 %" : `${Math.floor(share < 0.1 ? 1000 * share : 10 * Math.floor(100 * share)) / 10} %`);
const folded = (text) => (text ?? "").normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** An element with attributes and children; strings become text. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, done] of Object.entries(value)) made.addEventListener(event, done);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** A part of the data, loaded by a script element: a page from disk may not fetch. */
function load(number) {
  if (parts[number]) return Promise.resolve(parts[number]);
  return new Promise((done, failed) => {
    (waiting[number] ??= []).push(done);
    if (waiting[number].length > 1) return;
    const script = el("script", { src: `data/${String(number).padStart(3, "0")}.js` });
    script.addEventListener("error", () => {
      delete waiting[number];
      failed(new Error(`data/${number} of this report is missing`));
    });
    document.head.append(script);
  });
}

/** The words of the search, all of which a text must have. */
const needles = () => folded(view.q).split(/\s+/).filter(Boolean);
const matches = (words, ...texts) => {
  const all = folded(texts.join(" "));
  return words.every((word) => all.includes(word));
};

// ---- the address -----------------------------------------------------------------------------------------------------

/** #section&key=value…, or #cluster=ID: what can be sent to somebody else. */
function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const found = Object.fromEntries([...given].filter(([, value]) => value));
  const section = [...given.keys()].find((key) => Object.hasOwn(SECTIONS, key));
  return { ...found, section: found.cluster ? "clusters" : section ?? "overview" };
}

function address(change) {
  const { section, cluster, ...rest } = { ...view, ...change };
  const pairs = Object.entries(rest).filter(([, value]) => value);
  const tail = pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  return `#${[cluster ? `cluster=${encodeURIComponent(cluster)}` : section, tail].filter(Boolean).join("&")}`;
}

const NOTHING = { cluster: "", member: "", q: "", source: "", relation: "", order: "", anew: "", kind: "", rule: "" };
const of = (section, more = {}) => address({ ...NOTHING, ...more, section });

function go(change, replace = false) {
  const to = address(change);
  if (replace) history.replaceState(null, "", to);
  else location.hash = to;
  draw();
}

// ---- drawing ---------------------------------------------------------------------------------------------------------

function start(data) {
  report = data;
  const made = data.started ? new Date(data.started) : null;
  const when = made ? made.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" }) + " UTC" : "";
  $("edition").replaceChildren(el("b", {}, when || data.snapshot), el("span", {}, when && data.snapshot));
  $("sections").replaceChildren(...Object.entries(SECTIONS).map(([name, title]) => tab(name, title)));
  $("words").addEventListener("input", (event) => go({ q: event.target.value, cluster: view.cluster }, true));
  $("finder").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", draw);
  document.addEventListener("keydown", keyed);
  draw();
}

function tab(name, title) {
  const numbers = {
    ...(report.changes.parent && { news: fresh() }),
    clusters: report.clusters_in_all,
    sources: report.sources.all,
    removed: report.removed.distinct,
    repairs: report.repairs.distinct,
    quarantine: report.quarantine.all,
  };
  return el("a", { href: `#${name}`, id: `tab-${name}` }, title, name in numbers ? el("small", {}, figure(numbers[name])) : null);
}

function draw() {
  if (!report || location.hash === drawn) return;
  const before = view;
  drawn = location.hash;
  view = read();
  for (const name of Object.keys(SECTIONS)) {
    const current = name === view.section;
    if (current) $(`tab-${name}`).setAttribute("aria-current", "page");
    else $(`tab-${name}`).removeAttribute("aria-current");
    if (current) $(`tab-${name}`).scrollIntoView({ inline: "nearest", block: "nearest" });
  }
  if ($("words").value !== (view.q ?? "")) $("words").value = view.q ?? "";
  $("finder").hidden = view.section === "overview";
  $("words").placeholder = `Search ${SECTIONS[view.section].toLowerCase()}`;
  document.title = `${SECTIONS[view.section]} · copydesk ${report.snapshot}`;
  for (const name of ["funnel", "doubt", "trend"]) $("pictures").append($(name)); // before their section goes
  const painted = { overview, news, clusters, sources, removed, repairs, quarantine, run }[view.section]();
  if (painted) $("main").replaceChildren(...painted);
  $("main").dataset.section = view.section;
  if (before.section && before.section !== view.section) window.scrollTo(0, 0);
}

const heading = (title, lead) => el("div", { class: "heading" }, el("h1", {}, title), lead ? el("p", {}, lead) : null);
const empty = (words) => el("p", { class: "empty" }, words);

/** A table of at most ROWS rows, and a button for the next ones. Columns: [title, cell of a row, class]. */
function table(caption, columns, rows, none, kind = null) {
  if (!rows.length) return empty(view.q ? "Nothing matches the search." : none);
  const body = el("tbody");
  const more = el("button", { class: "more", type: "button", on: { click: () => add() } });
  function add() {
    const begin = body.children.length;
    const next = rows.slice(begin, begin + ROWS).map((row) =>
      el("tr", {}, columns.map(([title, cell, kind]) => el("td", { class: kind, "data-title": title }, cell(row)))));
    body.append(...next);
    more.hidden = body.children.length >= rows.length;
    more.textContent = `Show ${figure(Math.min(ROWS, rows.length - body.children.length))} more`;
  }
  add();
  const head = el("tr", {}, columns.map(([title, , kind]) => el("th", { scope: "col", class: kind }, title)));
  return el("div", { class: kind }, el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, head), body), more);
}

const number = (key) => (row) => (row[key] ? figure(row[key]) : "");

/** A text whose invisible characters are told by their codes. */
const visible = (text) => (text || "\u2003").split(/([\p{Cc}\p{Cf}\u2028\u2029])/u).map((piece, place) =>
  place % 2 ? el("i", { class: "sign" }, piece.codePointAt(0).toString(16).toUpperCase().padStart(2, "0")) : piece);

function examples(row) {
  const name = (one) => [one.name, one.source].filter(Boolean).join(" · ");
  return el("ul", { class: "examples" }, row.examples.map((one) => el("li", { title: one.id }, name(one))));
}

// ---- sections --------------------------------------------------------------------------------------------------------

function overview() {
  const { counts, gates } = report;
  const duplicates = Object.values(counts.duplicates).reduce((sum, one) => sum + one, 0);
  const failed = gates.filter((gate) => gate.status === "failed").length;
  const warned = gates.filter((gate) => gate.status === "warned" || gate.status === "accepted").length;
  const verdict = failed
    ? `${plural(failed, "gate")} failed`
    : warned
      ? `published, with ${plural(warned, "warning")}`
      : "all gates passed";
  const described = (id, title, words) => {
    const picture = $(id);
    if (!picture.firstElementChild) return null;
    picture.querySelector("svg")?.setAttribute("role", "img");
    picture.querySelector("svg")?.setAttribute("aria-label", words);
    return el("section", { class: `plate ${id}` }, el("h2", {}, title), picture);
  };
  const losses = Object.entries(counts.duplicates).map(([name, many]) => `${figure(many)} ${RELATIONS[name] ?? name}`).join(", ");
  const funnel = described("funnel", "From read to kept", `${figure(counts.records)} records read, duplicates: ${losses || "none"}, ${figure(counts.kept)} kept`);
  const doubt = described("doubt", "Verdicts in doubt", "Near copies and rewrites by the probability that they are one story with the one kept");
  const trend = described("trend", "The last snapshots", `Kept stories, duplicates and quarantined records of ${report.trend.length} snapshots`);
  const { judged, doubted } = report;
  const surely = `${doubted ? figure(judged - doubted) : "All"} of the ${plural(judged, "near copy or rewrite", "near copies and rewrites")} ` +
    "have a probability of 95 % or more to be one story with the one kept.";
  doubt?.append(el("p", { class: "note" }, `${surely} These are the others. `, el("a", { href: of("clusters", { order: "doubt" }) }, "Read the most doubtful")));
  return [
    heading(`${plural(counts.kept, "story", "stories")} kept`,
      `of ${plural(counts.records, "record")} in ${plural(counts.files, "file")} of ${report.raw}: ${plural(duplicates, "duplicate")} in ` +
      `${plural(report.clusters_in_all, "cluster")}, ${plural(report.quarantine.all, "record")} quarantined; ${verdict}.`),
    el("div", { class: "plates" },
      el("div", {}, funnel, doubt ?? (judged ? plate("Verdicts in doubt", surely) : null)),
      el("div", {},
        el("section", { class: "plate" }, el("h2", {}, "What the editor may want to see"), el("ul", { class: "leads" }, leads())),
        trend ?? plate("The last snapshots", "This is the only one there is. From the next run on, trends stand here."))),
  ];
}

const plate = (title, words) => el("section", { class: "plate" }, el("h2", {}, title), el("p", { class: "note" }, words));

/** One sentence a section, with the way there. */
function leads() {
  const { doubtful, doubtful_anew: anew, changes, removed, repairs, quarantine, gates, word } = report;
  const first = removed.lines[0];
  const worst = gates.find((gate) => gate.status === "failed") ?? gates.find((gate) => ["warned", "accepted"].includes(gate.status));
  const lost = word.filter((one) => !one.matched).length;
  const told = [
    changes.parent && [of("news"), `${fresh() ? changed() : "Nothing is new"} since ${changes.parent}`],
    anew && [of("clusters", { order: "doubt", anew: "yes" }), `${plural(anew, "new cluster")} with a verdict under 70 %`],
    [of("clusters", { order: "doubt" }), doubtful ? `${plural(doubtful, "cluster")} with a verdict under 70 %` : "No verdict is under 70 %"],
    first && [of("removed"), `Most often removed: “${first.text}”, ${plural(first.times, "time")}`],
    repairs.edits[0] && [of("repairs"), `${plural(repairs.distinct, "kind")} of broken characters mended`],
    quarantine.all && [of("quarantine"), `${plural(quarantine.all, "record")} could not be curated`],
    worst && [of("run"), `${worst.status}: ${worst.message}`],
    lost && [of("run"), `${plural(lost, "override")} ${lost === 1 ? "matches" : "match"} nothing`],
  ];
  return told.filter(Boolean).map(([href, words]) => el("li", {}, el("a", { href }, words)));
}

/** How many rows of the stories are others than in the parent, and this in words, by kind. */
const fresh = () => Object.keys(CHANGES).reduce((sum, kind) => sum + report.changes[kind], 0);
const changed = () =>
  Object.entries(CHANGES).filter(([kind]) => report.changes[kind]).map(([kind, words]) => `${figure(report.changes[kind])} ${words}`).join(", ");

function news() {
  const words = needles();
  const { changes, news: rows } = report;
  if (!changes.parent) return [heading("New", "This snapshot has no parent that it could be compared with: all of it is new.")];
  const shown = new Map(report.clusters.map((one) => [one.id, one]));
  const kind = Object.hasOwn(CHANGES, view.kind ?? "") ? view.kind : "";
  const found = rows.filter((row) => (!kind || row.kind === kind) && matches(words, row.title, row.source, row.id, CHANGES[row.kind]));
  const title = (row) => {
    const cluster = shown.has(row.id) ? row.id : shown.has(row.by) ? row.by : null;
    return [cluster ? el("a", { href: of("clusters", { cluster }) }, row.title) : row.title, el("small", {}, el("code", {}, row.id))];
  };
  const what = (row) => [el("b", {}, CHANGES[row.kind]), el("small", {}, row.by ? ["now ", el("code", {}, row.by)] : row.columns?.join(", ") ?? "")];
  const chip = (name) => el("li", {}, el("a", { href: of("news", { kind: name === kind ? "" : name }), "aria-current": name === kind && "true" },
    CHANGES[name], " ", el("small", {}, figure(changes[name]))));
  return [
    heading("New", `What is new among the kept stories since ${changes.parent}. A story is changed when a column of its row is, for instance when one more record repeats it.`),
    el("ul", { class: "chips" }, Object.keys(CHANGES).filter((name) => changes[name]).map(chip)),
    table("New", [["What", what], ["Story", title, "text"], ["Source", (row) => row.source ?? ""], ["Published", (row) => row.at ?? ""]], found, "Nothing is new."),
    left(fresh() - rows.length, "row", "rows", "in the table changes"),
  ];
}

function sources() {
  const words = needles();
  const rows = report.sources.rows.filter((row) => matches(words, row.source ?? "no source known"));
  const bar = (row) => [figure(row.stories), el("meter", { min: 0, max: report.sources.rows[0].stories, value: row.stories, "aria-hidden": "true" })];
  const name = (row) => (row.source ? el("a", { href: of("clusters", { source: row.source }) }, row.source) : el("i", {}, "no source known"));
  return [
    heading("Sources", "What each outlet gave. “Given” counts the records of others that repeat a story of this one, “taken” its own records that repeat " +
      "another’s; “versions” are repeats of its own stories. Removed is the share of its words that were boilerplate."),
    table("Sources", [
      ["Source", name],
      ["Stories kept", bar, "number bar"],
      ["Removed", (row) => (row.share ? percent(row.share) : ""), "number"],
      ["Given", number("given"), "number"],
      ["Taken", number("taken"), "number"],
      ["Versions", number("versions"), "number"],
      ["Quarantined", number("quarantined"), "number"],
    ], rows, "There are no stories.", "narrow"),
    left(report.sources.all - report.sources.rows.length, "source"),
  ];
}

const left = (many, what, more = `${what}s`, where = "in the tables beside this report") =>
  (many > 0 ? el("p", { class: "note" }, `${plural(many, `more ${what}`, `more ${more}`)} ${where}.`) : "");

function removed() {
  const words = needles();
  const { rules, lines, distinct } = report.removed;
  const why = Object.fromEntries(rules.map((rule) => [rule.rule, rule.why]));
  const rule = view.rule ?? "";
  const found = lines.filter((row) => (!rule || row.rule === rule) && matches(words, row.text, row.rule, why[row.rule]));
  const taken = (row) => el("a", { href: of("removed", { rule: row.rule === rule ? "" : row.rule }), "aria-current": row.rule === rule && "true" }, row.rule);
  return [
    heading("Removed lines", "What was taken off the stories because it is no part of them, most frequent lines first."),
    el("div", { class: "split" },
      el("section", {}, el("h2", {}, rule ? `Lines of the rule ${rule}` : "Lines"),
        rule && el("p", { class: "note" }, why[rule], " ", el("a", { href: of("removed") }, "All rules")),
        table("Removed lines", [
          ["Times", number("times"), "number"],
          ["Line", (row) => [el("q", {}, visible(row.text)), row.cut ? "" : overrule(row)], "text"],
          ["Rule", (row) => [el("b", {}, row.rule), el("small", {}, why[row.rule])]],
          ["For example in", examples],
        ], found, "No line was removed."), left(distinct - lines.length, "line")),
      el("section", { class: "aside" }, el("h2", {}, "Rules"), table("Rules", [["Rule", taken], ["Lines", number("lines"), "number"]], rules, "No rule took a line."))),
  ];
}

/** How to say that a removed line is none to remove. */
const overrule = (row) => el("details", {}, el("summary", {}, "It belongs to the stories"), command("Keep it", "line", "--keep", ...(row.text.startsWith("-") ? ["--"] : []), row.text));

function repairs() {
  const words = needles();
  const { edits, distinct } = report.repairs;
  const found = edits.filter((row) => matches(words, row.before, row.after, row.fix));
  return [
    heading("Repairs", "Broken characters, before and after, most frequent first."),
    table("Repairs", [
      ["Times", number("times"), "number"],
      ["Before", (row) => el("del", {}, visible(row.before)), "text"],
      ["After", (row) => el("ins", {}, visible(row.after)), "text"],
      ["How", (row) => row.fix],
      ["For example in", examples],
    ], found, "Nothing had to be repaired."),
    left(distinct - edits.length, "repair"),
  ];
}

function quarantine() {
  const words = needles();
  const { rows, all } = report.quarantine;
  const found = rows.filter((row) => matches(words, row.reason, row.stage, row.raw_uri, row.raw_id, row.detail));
  const reasons = Object.entries(report.counts.quarantined).flatMap(([stage, counted]) =>
    Object.entries(counted).map(([reason, many]) => ({ stage, reason, many })));
  return [
    heading("Quarantine", "Records that could not be curated. They stay here, with what text there is, until their raw file changes."),
    reasons.length ? el("ul", { class: "chips" }, reasons.map((one) => el("li", {},
      el("a", { href: of("quarantine", { q: one.reason }) }, one.reason.replaceAll("_", " "), " ", el("small", {}, `${one.stage}, ${figure(one.many)}`))))) : "",
    table("Quarantine", [
      ["Where", (row) => [el("b", {}, row.raw_uri), el("small", {}, row.place)]],
      ["Reason", (row) => [row.reason.replaceAll("_", " "), el("small", {}, `found by ${row.stage}`)]],
      ["Detail", (row) => row.detail ?? "", "text"],
    ], found, "No record is in quarantine."),
    left(all - rows.length, "record"),
  ];
}

function run() {
  const words = needles();
  const status = (row) => el("span", { class: `status ${row.status.replaceAll(" ", "-")}` }, row.status);
  const { gates, passed_over: passed, trend } = report;
  const day = (row) => (row.started ?? "").slice(0, 16).replace("T", " ");
  return [
    heading("The run", `Snapshot ${report.snapshot}, made of ${report.raw}.`),
    el("section", {}, el("h2", {}, "Gates"), el("p", { class: "note" }, "What had to hold before the snapshot was published. ",
      el("a", { href: "../data_docs/index.html" }, "All expectations, row by row")),
    table("Gates", [["", status], ["Found", (row) => row.message], ["Severity", (row) => row.severity ?? ""]],
      gates.filter((row) => matches(words, row.message, row.status)), "There are no gates.")),
    report.word.length ? el("section", {}, el("h2", {}, "The editors’ word"), table("Overrides", [
      ["", (row) => el("span", { class: `status ${row.matched ? "passed" : "failed"}` }, row.matched ? "obeyed" : "matches nothing")],
      ["Word", (row) => [row.says, el("small", {}, [row.who, (row.when ?? "").slice(0, 10), row.why].filter(Boolean).join(", "))], "text"],
      ["Rows", number("rows"), "number"], ["Entry", (row) => el("code", {}, row.id)],
    ], report.word.filter((row) => matches(words, row.says, row.who, row.why, row.id)), "")) : "",
    el("section", {}, el("h2", {}, "Passed over"), table("Passed over", [["", number("number"), "number"], ["Of", (row) => row.of], ["Why", (row) => row.why]],
      passed.filter((row) => matches(words, row.of, row.why)), "Nothing was passed over.")),
    el("section", {}, el("h2", {}, "The last snapshots"), table("Snapshots", [
      ["Made (UTC)", day], ["Snapshot", (row) => row.snapshot], ["Read", number("records"), "number"], ["Kept", number("kept"), "number"],
      ["Duplicates", number("duplicates"), "number"], ["Quarantined", number("quarantined"), "number"],
    ], trend.filter((row) => matches(words, row.snapshot, day(row))).reverse(), "There are none.")),
  ];
}

// ---- clusters --------------------------------------------------------------------------------------------------------

/** The list beside one cluster. It is filled again only when what it shows has changed, so that it keeps its place. */
function clusters() {
  const words = needles();
  const searched = !words.length || all();
  if (!searched) Promise.allSettled(unloaded().map(load)).then(again); // texts are searched as soon as they are there
  if (!$("list")) {
    const pick = el("div", { class: "pick" }, el("h1", {}, "Clusters"), choices(), el("p", { id: "found", class: "note" }), el("ol", { id: "list" }));
    $("main").replaceChildren(el("div", { class: "desk" }, pick, el("article", { id: "cluster", tabindex: -1, "aria-label": "Cluster" })));
    filled = "";
  }
  const filters = JSON.stringify([view.q, view.source, view.relation, view.order, view.anew, searched]);
  if (filters !== filled) {
    const found = report.clusters.filter((one) =>
      (!view.anew || one.anew) && (!view.source || one.sources.includes(view.source)) && (!view.relation || Object.hasOwn(one.relations, view.relation)));
    listed = sorted(words.length ? found.filter((one) => inside(one, words)) : found);
    fill(searched);
    filled = filters;
  }
  for (const link of $("list").querySelectorAll("a")) {
    const current = link.dataset.id === view.cluster;
    link.href = address({ cluster: link.dataset.id, member: "" });
    if (!current) link.removeAttribute("aria-current");
    else {
      link.setAttribute("aria-current", "true");
      link.scrollIntoView({ block: "nearest" });
    }
  }
  $("main").classList.toggle("opened", Boolean(view.cluster));
  for (const key of ["source", "relation", "order", "anew"]) if ($(key)) $(key).value = view[key] ?? "";
  open();
}

const unloaded = () => [...new Set(report.clusters.map((one) => one.part))].filter((part) => !parts[part]);
const all = () => tried || !unloaded().length;
const whole = (one) => parts[one.part]?.find((cluster) => cluster.id === one.id);

function again() {
  tried = true;
  drawn = null;
  draw();
}

function inside(one, words) {
  const cluster = whole(one);
  const stories = cluster ? [cluster.kept, ...cluster.members] : [];
  return matches(words, one.id, one.title, ...one.sources, ...stories.flatMap((story) => [story.id, story.raw, story.title, story.by, story.text]));
}

function sorted(found) {
  const by = { doubt: (a, b) => a.lowest - b.lowest, size: (a, b) => b.size - a.size, newest: (a, b) => ((a.newest ?? "") < (b.newest ?? "") ? 1 : -1) };
  return Object.hasOwn(by, view.order ?? "") ? [...found].sort(by[view.order]) : found;
}

function choices() {
  const names = [...new Set(report.clusters.flatMap((one) => one.sources))].sort((a, b) => a.localeCompare(b));
  const choice = (id, title, options) => el("label", {}, el("span", { class: "unseen" }, title),
    el("select", { id, on: { change: (event) => go({ [id]: event.target.value, cluster: "", member: "" }) } },
      options.map(([value, words]) => el("option", { value }, words))));
  return el("div", { class: "choices" },
    choice("order", "Order", Object.entries(ORDERS).map(([name, words]) => [name === "chosen" ? "" : name, words])),
    choice("relation", "Relation", Object.entries(MANY)),
    report.changes.parent && choice("anew", "Age", [["", "Old and new"], ["yes", "New or other members"]]),
    choice("source", "Source", [["", "All sources"], ...names.map((name) => [name, name])]));
}

function fill(searched) {
  const many = listed.length;
  const hidden = report.clusters_in_all - report.clusters.length;
  const more = hidden > 0 ? ` ${plural(hidden, "more cluster")} ${hidden === 1 ? "is" : "are"} not on show here: copydesk explain ID shows the decision on any record.` : "";
  const words = many === report.clusters.length ? `${plural(many, "cluster")} on show.` : `${figure(many)} of ${plural(report.clusters.length, "cluster")} on show.`;
  $("found").textContent = words + more;
  $("status").textContent = words;
  const list = $("list");
  list.replaceChildren(...listed.map((one) => el("li", {}, el("a", { "data-id": one.id },
    el("b", {}, one.title),
    el("span", { class: "sources" }, one.sources.slice(0, 4).join(", ") + (one.sources.length > 4 ? ` and ${one.sources.length - 4} more` : "")),
    el("small", {}, [one.newest, plural(one.size, "record"), Object.keys(one.relations).map((name) => RELATIONS[name]).join(", ")].filter(Boolean).join(" · "),
      one.anew ? el("span", { class: "anew" }, "new") : null,
      one.lowest < 0.9 ? el("span", { class: one.lowest < 0.7 ? "doubt much" : "doubt" }, percent(one.lowest)) : null)))));
  if (!many) list.append(el("li", {}, empty(searched ? "No cluster matches." : "Searching the texts …")));
}

/** Show the cluster of the address, or the first of the list where there is room for both. */
function open() {
  const one = report.clusters.find((cluster) => cluster.id === view.cluster);
  const article = $("cluster");
  if (view.cluster && !one) {
    return article.replaceChildren(el("a", { class: "back", href: address({ cluster: "" }) }, "All clusters"),
      empty(`This cluster is not on show here. “copydesk explain ${view.cluster}” shows what was decided.`));
  }
  if (!one) return article.replaceChildren(el("p", { class: "empty" }, listed.length ? "Choose a cluster, or press j." : ""));
  load(one.part).then(() => view.cluster === one.id && show(whole(one)), (error) => article.replaceChildren(empty(error.message)));
}

function show(cluster) {
  const { kept, members } = cluster;
  const chosen = picked(members);
  const hidden = cluster.size - 1 - members.length;
  const choice = (member) => el("li", {}, el("a", { href: address({ member: member.id }), "aria-current": member === chosen ? "true" : null, class: member.relation },
    el("b", {}, member.source ?? "no source"), el("small", {}, `${RELATIONS[member.relation] ?? member.relation}, ${percent(member.probability)}`)));
  $("cluster").replaceChildren(
    el("a", { class: "back", href: address({ cluster: "", member: "" }) }, "All clusters"),
    el("h2", { class: "title" }, kept.title ?? "No headline"),
    el("p", { class: "note" }, `${plural(cluster.size, "record")} of one story. Kept: ${kept.source ?? "no source known"}${kept.at ? `, ${kept.at}` : ""}.`,
      hidden > 0 ? ` ${plural(hidden, "more copy", "more copies")} not on show: copydesk explain ID.` : ""),
    members.length > 1 ? el("ul", { class: "members", "aria-label": "Members" }, members.map(choice)) : "",
    chosen ? verdict(chosen, kept) : "",
    el("div", { class: "pair" }, story(kept, "Kept", chosen?.text === null ? [] : spans(chosen, 2)),
      chosen ? story(chosen, RELATIONS[chosen.relation] ?? chosen.relation, spans(chosen, 0)) : ""));
  if ($("cluster").dataset.id !== cluster.id) $("cluster").scrollTop = 0;
  $("cluster").dataset.id = cluster.id;
}

/** The member of the address, else the most doubtful one. */
const picked = (members) => members.find((member) => member.id === view.member) ?? [...members].sort((a, b) => a.probability - b.probability)[0];

/** What was decided on a member and why; by whom, if it was an editor; and how to say otherwise. */
function verdict(member, kept) {
  const word = report.word.find((one) => one.id === member.word);
  const sure = member.probability >= 0.9 ? "Sure" : member.probability >= 0.7 ? "Likely" : "Doubtful";
  return el("div", { class: `verdict ${member.relation}` },
    el("p", {}, el("b", {}, `${sure}: ${RELATIONS[member.relation] ?? member.relation}, with a probability of ${percent(member.probability)}.`),
      ` Not kept because ${member.why}.`),
    member.word ? el("p", { class: "word" }, el("b", {}, "An editor decided: "), word ? said(word) : member.word) : "",
    el("ul", {}, member.said.map((words) => el("li", {}, words))),
    el("details", {}, el("summary", {}, "Overrule this"), el("p", { class: "note" }, "In the folder of the settings, then run again. --why says why."),
      command("They are two stories", "different", kept.id, member.id),
      command("Keep the other one", "keep", member.id),
      member.word ? command("Take the editor’s word back", "remove", member.word) : ""));
}

const said = (word) => [word.says, word.why && ` (${word.why})`, [word.who, (word.when ?? "").slice(0, 10)].filter(Boolean).map((one) => `, ${one}`).join("")].filter(Boolean).join("");

/** A line for the shell, and a button that copies it; every word in quotes that is not plain. */
function command(title, ...words) {
  const line = ["copydesk override", ...words.map((word) => (/^[\w.:/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))].join(" ");
  const copied = (event) => {
    const button = event.currentTarget;
    navigator.clipboard.writeText(line).then(() => (button.textContent = "Copied"), () => (button.textContent = "Select it and copy"));
  };
  return el("p", { class: "command" }, el("span", {}, title), el("code", {}, line), el("button", { type: "button", on: { click: copied } }, "Copy"));
}

/** The shared passages of a member in one of the two texts, in order: begin, end, number. */
const spans = (member, side) => (member?.marks ?? []).map((mark, place) => [mark[side], mark[side + 1], place + 1]).sort((a, b) => a[0] - b[0]);

function story(told, role, marks) {
  const about = [told.by && `by ${told.by}`, told.at, told.words !== null && plural(told.words, "word")].filter(Boolean).join(" · ");
  const link = /^https?:\/\//.test(told.url ?? "") ? el("a", { href: told.url, rel: "noreferrer noopener" }, told.url) : told.url;
  return el("section", { class: "story" },
    el("header", {}, el("span", { class: "role" }, role), el("h3", {}, told.title ?? "No headline"), el("p", {}, el("b", {}, told.source ?? "no source known"), about && ` · ${about}`),
      el("p", { class: "ids" }, told.uri, told.raw && told.raw !== told.uri ? ` · ${told.raw}` : "", " · ", el("code", {}, told.id), link ? [" · ", link] : "")),
    told.text === null ? empty("The same text, word for word.") : el("div", { class: "copy" }, marked(told.text, marks)),
    told.cut ? el("p", { class: "note" }, `${plural(told.cut, "more character")}: copydesk explain ${told.id}`) : "");
}

/** The text as paragraphs, shared passages as marks; where two overlap, the first has it. */
function marked(text, marks) {
  const paragraphs = [el("p")];
  const put = (piece, number) => piece.split("\n\n").forEach((words, place) => {
    if (place) paragraphs.push(el("p"));
    if (words) paragraphs.at(-1).append(number ? el("mark", { "data-passage": number, on: { click: jump } }, words) : words);
  });
  let at = 0;
  for (const [begin, end, number] of marks) {
    if (begin < at) continue;
    put(text.slice(at, begin), 0);
    put(text.slice(begin, end), number);
    at = end;
  }
  put(text.slice(at), 0);
  return paragraphs;
}

/** To the same passage in the other story. */
function jump(event) {
  const mine = event.currentTarget.closest(".story");
  const other = [...document.querySelectorAll(`mark[data-passage="${event.currentTarget.dataset.passage}"]`)].find((mark) => !mine.contains(mark));
  other?.scrollIntoView({ block: "center" });
  other?.animate?.([{ outline: "3px solid currentColor" }, { outline: "3px solid transparent" }], 900);
}

// ---- keys ------------------------------------------------------------------------------------------------------------

function keyed(event) {
  const typing = event.target.matches("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  if (event.key === "Escape") {
    if (typing && event.target.value === "") event.target.blur();
    else if (view.q) go({ q: "" });
    else if (view.cluster) go({ cluster: "", member: "" });
    return;
  }
  if (typing) return;
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  const turn = { n: 1, ArrowRight: 1, p: -1, ArrowLeft: -1 }[event.key];
  const section = Object.keys(SECTIONS)[Number(event.key) - 1];
  if (event.key === "/") {
    if (view.section === "overview") go({ ...view, section: "clusters" });
    $("words").focus();
    $("words").select();
  } else if (event.key === "?") $("keys").showModal();
  else if (section) go({ ...NOTHING, section });
  else if (step && view.section === "clusters" && listed.length) walk(step);
  else if (turn && view.cluster) change(turn);
  else return;
  event.preventDefault();
}

function walk(step) {
  const place = listed.findIndex((one) => one.id === view.cluster);
  const next = listed[place < 0 ? 0 : Math.max(0, Math.min(listed.length - 1, place + step))];
  go({ cluster: next.id, member: "" }, Boolean(view.cluster));
}

function change(turn) {
  const one = report.clusters.find((cluster) => cluster.id === view.cluster);
  const members = (one && whole(one)?.members) ?? [];
  const place = members.indexOf(picked(members));
  const next = members[(place + turn + members.length) % members.length];
  if (next) go({ member: next.id }, true);
}
