// Pictures from files: single ones, folders that are dropped, and zip files.

import { ask, named } from "./api.js";
import { asJpeg } from "./camera.js";

const PICTURE = /\.(jpe?g|png|webp|gif|bmp|avif|hei[cf])$/i;
const IGNORED = /(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/i; // files that operating systems add
const END_OF_ZIP = 0x06054b50;
const END_LIMIT = 22 + 65535; // bytes of the end of a zip file, with its comment
const ZIP_ENTRY = 0x02014b50;
const STORED = 0, DEFLATED = 8;
const UNPACKED_LIMIT = 200 * 2 ** 20; // bytes of one picture in a zip file

// The files of a drop, also those in folders. Call it in the event's handler: the browser empties the event afterwards.
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return (await Promise.all(entries.map(filesIn))).flat();
}

async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100 at once
    if (!some.length) return found;
    for (const child of some) found.push(...(await filesIn(child)));
  }
}

// Records each picture as a sample of the label. `progress` is called with the number done, the number of all, and the sample.
// Returns {recorded, leftOut}, the second a list of [name, reason].
export async function importPictures(files, task, label, session, progress) {
  const leftOut = [];
  const pictures = [];
  for (const file of files) {
    if (!/\.zip$/i.test(file.name)) pictures.push({ name: file.name, open: async () => file });
    else {
      try {
        pictures.push(...(await zipEntries(file)));
      } catch (error) {
        leftOut.push([file.name, error.message]);
      }
    }
  }
  const wanted = pictures.filter((one) => !IGNORED.test(one.name));
  let recorded = 0;
  for (const [index, { name, open }] of wanted.entries()) {
    let sample = null;
    try {
      if (!PICTURE.test(name)) throw new Error("not a picture");
      const picture = await asJpeg(await open());
      sample = await ask("POST", `/v1/samples?${named(task, `label=${encodeURIComponent(label)}`, `session=${session}`)}`, picture);
      recorded += 1;
    } catch (error) {
      if (error.body?.status === 0) throw error; // the server has gone
      leftOut.push([name, error.body?.status === 415 ? `${error.body.found}. ${error.body.remedy}` : (error.body?.found ?? error.message)]);
    }
    progress(index + 1, wanted.length, sample);
  }
  return { recorded, leftOut };
}

// The files in a zip file, each {name, open}; `open` resolves with a Blob. Raises an Error.
export async function zipEntries(file) {
  const tail = new DataView(await file.slice(Math.max(0, file.size - END_LIMIT)).arrayBuffer());
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END_OF_ZIP) end -= 1;
  if (end < 0) throw new Error("not a complete zip file");
  const size = tail.getUint32(end + 12, true);
  const start = tail.getUint32(end + 16, true);
  if (start + size > file.size) throw new Error("a zip file of more than 4 GB, or not complete");
  const table = new DataView(await file.slice(start, start + size).arrayBuffer());
  const entries = [];
  for (let at = 0; at + 46 <= table.byteLength && table.getUint32(at, true) === ZIP_ENTRY; ) {
    const nameSize = table.getUint16(at + 28, true);
    const name = new TextDecoder().decode(new Uint8Array(table.buffer, at + 46, nameSize));
    const entry = {
      isEncrypted: table.getUint16(at + 8, true) & 1,
      method: table.getUint16(at + 10, true),
      packed: table.getUint32(at + 20, true),
      unpacked: table.getUint32(at + 24, true),
      offset: table.getUint32(at + 42, true),
    };
    if (!name.endsWith("/")) entries.push({ name, open: () => unpack(file, entry) });
    at += 46 + nameSize + table.getUint16(at + 30, true) + table.getUint16(at + 32, true);
  }
  return entries;
}

async function unpack(file, { isEncrypted, method, packed, unpacked, offset }) {
  if (isEncrypted) throw new Error("it has a password");
  if (unpacked > UNPACKED_LIMIT) throw new Error("more than 200 MB");
  const head = new DataView(await file.slice(offset, offset + 30).arrayBuffer());
  const start = offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const data = file.slice(start, start + packed);
  if (method === STORED) return data;
  if (method !== DEFLATED) throw new Error("packed in a way that browsers do not know");
  const chunks = [];
  let bytes = 0;
  const reader = data.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks);
    bytes += value.byteLength;
    if (bytes > unpacked) throw new Error("damaged");
    chunks.push(value);
  }
}
