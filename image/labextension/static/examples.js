// Copyright (c) Workhorse contributors. BSD-3-Clause.
//
// Copies an example into the notebooks' folder; a copy that is there already is the person's, and stays as it is.

const FOLDER = 'examples';

const isThere = (contents, path) =>
  contents.get(path, { content: false }).then(
    () => true,
    error => {
      if (error.response?.status !== 404) {
        throw error;
      }
      return false;
    }
  );

/** The path of the person's copy. */
export async function ownCopy(name, contents) {
  const path = `${FOLDER}/${name}`;
  if (!(await isThere(contents, path))) {
    const answer = await fetch(new URL(path, import.meta.url));
    const content = await answer.json();
    if (!(await isThere(contents, FOLDER))) {
      await contents.save(FOLDER, { type: 'directory' });
    }
    await contents.save(path, { type: 'notebook', format: 'json', content });
  }
  return path;
}
