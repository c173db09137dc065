// Uploading into the album with Uppy: tus in resumable parts, kept in the browser over a reload by Golden Retriever.
import Uppy, { type UppyFile } from "@uppy/core";
import GoldenRetriever from "@uppy/golden-retriever";
import Tus from "@uppy/tus";
import { type Picked, reuse, withTwins } from "./known";
import { type Live } from "./live";
import { onFiles } from "./pick";
import { type Asked, Prices } from "./price";
import { Tickets } from "./ticket";
import { attempt, toast } from "./toast";
import { type Row, Tray } from "./tray";
import { say } from "../words";

type Meta = { sha256?: string };
type Body = { xhr: XMLHttpRequest };
type File_ = UppyFile<Meta, Body>;

/** Files that are hashed and asked about together: the first upload starts before the last hash is known. */
const BATCH = 20;
const AT_ONCE = 3;
const NAMED = ["name", "type"];
/** Smaller files travel with the request that creates the upload. Larger ones get their address first: without one,
 * an upload that is cut short would begin again. */
const IN_ONE_REQUEST = 512 * 1024;

/** `live` shows what arrives; without it these are a guest's uploads, which are not asked about and not shown. */
export function startUploads(root: HTMLElement, live: Pick<Live, "expecting" | "poke"> | null): void {
  const album = root.dataset["album"]!;
  const tickets = new Tickets(root.dataset["base"]!);
  // The album in the id keeps an interrupted upload of the same file into another album apart: file ids begin with it.
  const uppy = new Uppy<Meta, Body>({ id: `${live ? "album" : "guest"}-${album}`, autoProceed: true });
  const prices = root.dataset["price"] ? new Prices(root.dataset["price"]) : null;
  let checking = 0;
  let agreed = false;

  const tray = new Tray({
    cancel: (id) => uppy.removeFile(id),
    retry: (id) => void uppy.retryUpload(id),
    retryAll: () => void uppy.retryAll(),
    cancelAll: () => {
      uppy.cancelAll();
      draw();
    },
  });
  const draw = (): void => {
    const rows = uppy.getFiles().map(rowOf);
    if (live) live.expecting = rows.some((row) => row.state === "waiting" || row.state === "running");
    tray.show(rows, checking ? say("checking", { count: checking }) : "");
  };

  uppy.use(Tus, {
    endpoint: "set-by-the-ticket",
    limit: AT_ONCE,
    retryDelays: [0, 1000, 3000, 5000, 10_000, 20_000],
    removeFingerprintOnSuccess: true,
    allowedMetaFields: NAMED,
    onBeforeRequest: async (request) => request.setHeader("Authorization", `Bearer ${(await tickets.get()).ticket}`),
    onShouldRetry: (error, _attempt, _options, next) => {
      if (error.originalResponse?.getStatus() !== 401) return next(error);
      tickets.drop();
      return true;
    },
  });

  uppy.on("upload-success", () => live?.poke());
  uppy.on("upload-error", (file, error, response) => {
    if (file) uppy.setFileState(file.id, { error: explained(error, response?.body?.xhr) });
  });
  uppy.on("restriction-failed", (file, error) => toast(`${file?.name ?? "A file"}: ${error.message}`));
  uppy.on("state-update", throttled(draw));
  uppy.on("restored", () => void resume(uppy, tickets));

  const add = (picked: Picked[]): void => {
    for (const { file, sha256 } of picked) {
      try {
        const id = uppy.addFile({ name: file.name, type: file.type, data: file, meta: sha256 ? { sha256 } : {} });
        // A field that a file has not is sent as the word "undefined", so each is named where it is there.
        const allowedMetaFields = sha256 ? [...NAMED, "sha256"] : NAMED;
        uppy.setFileState(id, { tus: { allowedMetaFields, uploadDataDuringCreation: file.size <= IN_ONE_REQUEST } });
      } catch (error) {
        if (!(error as { isRestriction?: boolean }).isRestriction) throw error; // That one was told already.
      }
    }
  };

  const settle = async (known: Picked[]): Promise<void> => {
    const answer = await tray.ask(known, album);
    if (answer === "upload") add(known);
    if (answer === "reuse") {
      await attempt(async () => {
        for (const each of known) await reuse(each, tickets);
      });
      live?.poke();
    }
    draw();
  };

  /** Tell what it costs; ask once a page, and only for what the plan does not include. */
  const agrees = async (files: File[]): Promise<boolean> => {
    const price: Asked | null = prices && (await prices.with(files));
    if (!price) return true;
    const told = price.amount ? say("costs-more", { amount: price.text }) : say("is-included");
    tray.tell(price.note ? `${told} ${price.note}` : told);
    if (price.amount && !agreed) {
      agreed = await tray.agree(say("ask-price", { count: files.length, amount: price.text }));
      if (!agreed) {
        price.drop();
        tray.tell("");
        return false;
      }
    }
    return true;
  };

  const take = async (files: File[], leftOut: number): Promise<void> => {
    if (leftOut) toast(say("left-out", { count: leftOut }));
    if (!(await agrees(files))) return draw();
    checking += files.length;
    draw();
    const asked: Picked[] = [];
    await attempt(async () => {
      await point(uppy, tickets);
      for (let at = 0; at < files.length; at += BATCH) {
        const batch = files.slice(at, at + BATCH);
        const picked = live ? await withTwins(batch, tickets) : batch.map((file) => ({ file }));
        add(picked.filter((each: Picked) => !each.twin));
        asked.push(...picked.filter((each: Picked) => each.twin));
      }
    });
    checking -= files.length;
    draw();
    if (asked.length) await settle(asked);
  };

  onFiles((files, leftOut) => void take(files, leftOut));
  uppy.use(GoldenRetriever, { expires: 24 * 3600 * 1000 }); // As long as the upload host keeps an idle upload.
}

/** Aim the uploader at the ticket's endpoint. */
async function point(uppy: Uppy<Meta, Body>, tickets: Tickets): Promise<void> {
  const { endpoint, max_bytes: most } = await tickets.get();
  uppy.getPlugin("Tus")!.setOptions({ endpoint });
  uppy.setOptions({ restrictions: { maxFileSize: most } });
}

/** After a reload: go on with what the browser kept. What it could not keep has to be picked again. */
async function resume(uppy: Uppy<Meta, Body>, tickets: Tickets): Promise<void> {
  const ghosts = uppy.getFiles().filter((file) => file.isGhost);
  if (ghosts.length) {
    uppy.removeFiles(ghosts.map((file) => file.id));
    toast(say("pick-again", { names: ghosts.map((file) => file.name).join(", ") }));
  }
  if (!uppy.getFiles().some((file) => !file.progress.uploadComplete)) return;
  await attempt(async () => {
    await point(uppy, tickets);
    uppy.emit("restore-confirmed");
  });
}

function rowOf(file: File_): Row {
  const { progress } = file;
  const state = file.error ? "failed" : progress.uploadComplete ? "done" : progress.uploadStarted ? "running" : "waiting";
  const percent = progress.bytesTotal ? (100 * Number(progress.bytesUploaded || 0)) / progress.bytesTotal : 0;
  return { id: file.id, name: file.name ?? "file", state, percent, ...(file.error ? { error: file.error } : {}) };
}

/** The upload host's own sentence if it sent one (RFC 9457). */
function explained(error: { message: string }, xhr: XMLHttpRequest | undefined): string {
  try {
    const problem = JSON.parse(xhr?.responseText ?? "") as { detail?: string; title?: string };
    return problem.detail ?? problem.title ?? error.message;
  } catch {
    return xhr?.status ? say("host-answered", { status: String(xhr.status) }) : say("connection-lost");
  }
}

function throttled(draw: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      draw();
    }, 150);
  };
}
