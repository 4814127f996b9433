// Copyright (c) Workhorse contributors. BSD-3-Clause.
//
// The one question before something is deleted: how much it is, where it goes, and for how long it can be had back
// (entrypoint/lab/trash.py). It is loaded when somebody first deletes something.

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

function size(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  return `${Math.round(bytes / 1000 ** power)} ${UNITS[power]}`;
}

/** How much an item holds; nothing where the server doesn't say. */
async function look({ baseUrl, fetch }, contents, { path }) {
  const address = contents.localPath(path).split('/').map(encodeURIComponent).join('/');
  try {
    const answer = await fetch(new Request(`${baseUrl}trash/${address}`, { cache: 'no-store' }));
    return answer.ok ? await answer.json() : {};
  } catch {
    return {};
  }
}

function what(items, found) {
  const sum = name => found.reduce((total, each) => total + (each[name] || 0), 0);
  const isAll = found.every(each => each.is_all !== false);
  const [{ name }] = items;
  const named = items.length === 1 ? `"${name}"` : `${items.length} items`;
  if (items.every(each => each.type !== 'directory')) {
    return named;
  }
  const [files, bytes] = [sum('files'), sum('bytes')];
  const count = isAll ? `${files.toLocaleString('en')} ${files === 1 ? 'file' : 'files'}` : 'more than 100,000 files';
  return `${named} with ${count}${isAll && bytes ? ` (${size(bytes)})` : ''}`;
}

/** In the place of JupyterLab's own question, in a listing of the file browser. */
export async function askAndDelete(listing, shared, { contents, serverSettings }) {
  const { Dialog, showDialog } = await shared('@jupyterlab/apputils');
  const items = [...listing.selectedItems()];
  if (!items.length) {
    return;
  }
  const found = await Promise.all(items.map(item => look(serverSettings, contents, item)));
  const forGood = found.some(each => each.for_good);
  const body = forGood
    ? `Delete ${what(items, found)} for good? Nothing in Trash can be had back once it is deleted there.`
    : `Move ${what(items, found)} to Trash? It can be had back for 30 days, from the folder Trash.`;
  const label = forGood ? 'Delete' : 'Move to Trash';
  const buttons = [Dialog.cancelButton(), Dialog.warnButton({ label })];
  const { button } = await showDialog({ title: label, body, buttons, defaultButton: 0 });
  if (button.accept && !listing.isDisposed) {
    await listing._delete(items.map(each => each.path));
  }
}
