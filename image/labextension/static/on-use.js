// Copyright (c) Workhorse contributors. BSD-3-Clause.
//
// Loads what the server holds back of an extension's (entrypoint/lab/held_back.py), with the first thing that it is to show.

/** Webpack's container of an extension (webpack.js.org/concepts/module-federation), and of that the renderers' factory. */
export async function rendererFactory({ name, load, mimeExtension }, extensions, shareScope) {
  await script(new URL(`${name}/${load}`, extensions));
  const container = window._JUPYTERLAB[name];
  await container.init(shareScope);
  const exported = (await container.get(mimeExtension))();
  const [{ rendererFactory: factory }] = [exported.__esModule ? exported.default : exported].flat();
  return factory;
}

function script(address) {
  return new Promise((resolve, reject) => {
    const element = document.createElement('script');
    element.src = address;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${address} did not load. Run the cell again, or reload this page.`));
    document.head.append(element);
  });
}
