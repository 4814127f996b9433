// Copyright (c) Workhorse contributors. BSD-3-Clause.
//
// Keeps an open page going while the server is away for a moment, as when it is updated or gets another setting; and
// adds an entry to the launcher and one to the file browser.
//
// JupyterLab by itself shows a dialog at once, and may take half a minute to find its kernels after the server is back.
//
// How: JupyterLab asks the server through one object, its server settings, whose `fetch` and `WebSocket` may be others
// than the browser's. The `fetch` of this file holds back what can be asked again until the server answers, so that
// nothing of JupyterLab fails. A kernel's reconnection asks for the kernel first, so it goes on by itself just then.
// (A call of `reconnect()` from here would lose lines: JupyterLab tries again 10 to 30 seconds after a failed question,
// whatever has been reconnected in between; @jupyterlab/services 7.6, kernel/default.ts, getKernelModel.)
//
// It is written as browsers read it, and nothing builds it: JupyterLab loads a "container" of webpack's module
// federation, which is an object with `init` and `get` (webpack.js.org/concepts/module-federation). Where anything here
// fails, JupyterLab goes on as it does without it.
'use strict';
(() => {
  // Between two questions whether the server is back; not all pages ask at once.
  const ASK_MS = 1000;
  const JITTER_MS = 500;
  const LOGGED_OUT_ASK_MS = 3000;
  // For an answer: soon, since some are lost on the way while the server starts; and at last longer than the door waits
  // for a JupyterLab that is busy or absent.
  const ANSWER_MS = 5000;
  const ANSWER_MS_MAX = 40 * 1000;
  // What is over sooner nobody need know.
  const NOTICE_MS = 5000;
  const LONG_MS = 5 * 60 * 1000;
  const TRIES = 4;

  // What does no harm when the server gets it twice (RFC 9110, section 9.2.2). A second DELETE would find nothing.
  const REPEATABLE = new Set(['GET', 'HEAD', 'PUT']);
  // Logged out (424 for a kernel, since JupyterLab takes a 403 for its death), or no JupyterLab behind the door. Each
  // may also be the answer to what was asked, so the server is asked which it is.
  const DOUBTFUL = new Set([401, 403, 424, 502, 503, 504]);

  // RFC 6455, section 7.4.1, and IANA's registry of close codes. After a 1001, which a logout brings, JupyterLab never
  // reconnects, and a terminal takes itself for connected.
  const NORMAL = 1000;
  const NO_STATUS = 1005; // this page's own Close
  const GOING_AWAY = 1001;
  const SERVICE_RESTART = 1012;

  const AWAY = 'The server is away for a moment. Your kernels run on, and this page goes on by itself.';
  const LONG_AWAY =
    'The server is still away. If your connection is up, run this where Workhorse is installed: docker compose up -d';
  const LOGGED_OUT = 'You are logged out; your kernels run on. Log in in another tab, then go on in this one.';
  const NOTICE_STYLE = {
    position: 'fixed',
    bottom: '3em',
    left: '50%',
    transform: 'translateX(-50%)',
    maxWidth: '32em',
    padding: '0.8em 1.2em',
    zIndex: 10000, // over JupyterLab's menus
    border: '1px solid var(--jp-warn-color1)',
    borderRadius: '4px',
    background: 'var(--jp-layout-color1)',
    color: 'var(--jp-ui-font-color1)',
    font: 'var(--jp-ui-font-size1) var(--jp-ui-font-family)'
  };

  const pause = (milliseconds, wake) =>
    new Promise(resolve => {
      const timer = setTimeout(resolve, milliseconds);
      wake(() => {
        clearTimeout(timer);
        resolve();
      });
    });

  /**
   * What the person is told while the server is away; never in the way, and gone when it is back. It isn't one of
   * JupyterLab's notifications: for the first of those JupyterLab asks the server for code.
   */
  class Notice {
    constructor(baseUrl) {
      const { pathname } = new URL('lab/extensions/workhorse/static/logged-in.html', baseUrl);
      this.loginUrl = `${baseUrl}login?next=${encodeURIComponent(pathname)}`;
      this.node = document.createElement('div');
      this.node.id = 'workhorse-notice';
      this.node.setAttribute('role', 'status');
      Object.assign(this.node.style, NOTICE_STYLE);
      this.tab = null;
    }

    show(text) {
      if (text && text !== this.text) {
        this.text = text;
        this.node.replaceChildren(text, ...(text === LOGGED_OUT ? [' ', this.loginLink()] : []));
        document.body.append(this.node);
      }
    }

    loginLink() {
      const link = document.createElement('a');
      link.textContent = 'Log in';
      link.href = this.loginUrl;
      link.style.textDecoration = 'underline';
      link.addEventListener('click', event => {
        event.preventDefault();
        this.tab = window.open(link.href, '_blank');
      });
      return link;
    }

    /** Closes the login's tab, too, which nobody needs any more. */
    hide() {
      this.node.remove();
      this.text = '';
      if (this.tab) {
        this.tab.close();
      }
      this.tab = null;
    }
  }

  /** Whether the server is there, and for whom it is not, when it is again. */
  class Server {
    constructor(ask, notice) {
      this.ask = ask;
      this.notice = notice;
      this.listeners = [() => notice.hide()];
      this.absence = null;
      this.wake = () => undefined;
      // Who comes back to the page, or to a network, need not wait; timers of a hidden page may be a minute late.
      for (const [target, event] of [[document, 'visibilitychange'], [window, 'focus'], [window, 'online']]) {
        target.addEventListener(event, () => this.wake());
      }
    }

    /** Resolves when the server is there, with whether it was away. */
    back() {
      if (!this.absence) {
        this.absence = this.watch().finally(() => {
          this.absence = null;
        });
      }
      return this.absence;
    }

    async watch() {
      const since = Date.now();
      let state = await this.ask();
      if (state === 'here') {
        return false;
      }
      while (state !== 'here') {
        this.tell(state, Date.now() - since);
        const milliseconds = (state === 'logged out' ? LOGGED_OUT_ASK_MS : ASK_MS) + Math.random() * JITTER_MS;
        await pause(milliseconds, wake => {
          this.wake = wake;
        });
        state = await this.ask();
      }
      this.listeners.forEach(listener => this.attempt(listener));
      return true;
    }

    tell(state, milliseconds) {
      const away = milliseconds > LONG_MS ? LONG_AWAY : milliseconds > NOTICE_MS ? AWAY : '';
      this.attempt(() => this.notice.show(state === 'logged out' ? LOGGED_OUT : away));
    }

    /** A failure to tell of it must not keep a page from going on. */
    attempt(action) {
      try {
        action();
      } catch (error) {
        console.warn('workhorse:', error);
      }
    }
  }

  /** Asks what only an answer of JupyterLab's own to somebody who is logged in can answer. */
  function question(fetch, baseUrl) {
    let patience = ANSWER_MS;
    return async () => {
      const hurry = new AbortController();
      const timer = setTimeout(() => hurry.abort(), patience);
      const options = { cache: 'no-store', credentials: 'same-origin', redirect: 'manual', signal: hurry.signal };
      try {
        const { ok, status, type } = await fetch(`${baseUrl}api/status?${Date.now()}`, options);
        const toLogin = type === 'opaqueredirect' || status === 401 || status === 403;
        patience = ANSWER_MS;
        return ok ? 'here' : toLogin ? 'logged out' : 'away';
      } catch {
        if (hurry.signal.aborted) {
          patience = Math.min(2 * patience, ANSWER_MS_MAX);
        }
        return 'away';
      } finally {
        clearTimeout(timer);
      }
    };
  }

  /** What `promise` becomes, unless the request is given up before. */
  function unlessAborted(promise, signal) {
    const aborted = new Promise((_, reject) => {
      const abort = () => reject(new DOMException('The request was given up.', 'AbortError'));
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) {
        abort();
      }
    });
    return Promise.race([promise, aborted]);
  }

  /** The token may be another after a login. */
  function renewed(request) {
    const token = document.cookie.split('; ').filter(each => each.startsWith('_xsrf=')).pop();
    const copy = request.clone();
    if (token && copy.headers.has('X-XSRFToken')) {
      copy.headers.set('X-XSRFToken', token.slice('_xsrf='.length));
    }
    return copy;
  }

  /** A `fetch` that waits for a server that is away, and asks again what can be asked again. */
  function patient(fetch, server) {
    return async (request, options) => {
      if (!(request instanceof Request) || options) {
        return fetch(request, options);
      }
      const again = REPEATABLE.has(request.method);
      for (let tries = 1; ; tries++) {
        if (server.absence) {
          await unlessAborted(server.absence, request.signal);
        }
        const last = !again || tries === TRIES;
        let response;
        try {
          response = await fetch(renewed(request));
        } catch (error) {
          const returned = server.back();
          if (last || request.signal.aborted) {
            throw error;
          }
          await unlessAborted(returned, request.signal);
          continue;
        }
        if (!DOUBTFUL.has(response.status)) {
          return response;
        }
        const returned = server.back();
        if (last || !(await unlessAborted(returned, request.signal))) {
          return response;
        }
      }
    };
  }

  /** Websockets whose end is noticed at once, and after which JupyterLab reconnects. */
  function watched(WebSocket, server) {
    return class extends WebSocket {
      constructor(...options) {
        super(...options);
        this.addEventListener('close', event => {
          if (event.code !== NORMAL && event.code !== NO_STATUS) {
            server.back();
          }
        });
      }

      get onclose() {
        return super.onclose;
      }

      set onclose(listener) {
        super.onclose = listener && (event => listener.call(this, asRestart(event)));
      }
    };
  }

  function asRestart(event) {
    const { code, reason, wasClean } = event;
    return code === GOING_AWAY ? new CloseEvent('close', { code: SERVICE_RESTART, reason, wasClean }) : event;
  }

  /** Terminals ask for nothing before they reconnect, and wait longer each time, so they are told. */
  function reconnectTerminals(tracker) {
    tracker.forEach(({ content: { session } }) => {
      if (!session.isDisposed && session.connectionStatus !== 'connected') {
        session.reconnect().catch(error => console.warn('workhorse:', error));
      }
    });
  }

  let shareScope;

  /** What JupyterLab has loaded of a package already; of its own it shares one version each. */
  async function shared(name) {
    const [version] = Object.values(shareScope[name]);
    return (await version.get())();
  }

  async function reconnection() {
    const [{ IConnectionLost }, { IServerSettings }] = await Promise.all(
      ['@jupyterlab/application', '@jupyterlab/services'].map(shared)
    );
    return {
      id: 'workhorse:reconnect',
      description: 'Keeps an open page going while the server is away for a moment.',
      autoStart: true,
      requires: [IServerSettings],
      provides: IConnectionLost,
      activate: (_app, settings) => {
        const { baseUrl, fetch, WebSocket } = settings;
        const plainFetch = (...options) => fetch.call(null, ...options);
        const server = new Server(question(plainFetch, baseUrl), new Notice(baseUrl));
        settings.fetch = patient(plainFetch, server);
        settings.WebSocket = watched(WebSocket, server);
        returned = listener => server.listeners.push(listener);
        // In place of the dialog.
        return async () => {
          await server.back();
        };
      }
    };
  }

  /** Apart from the other, which JupyterLab's own first plugin waits for. */
  async function terminals() {
    const { ITerminalTracker } = await shared('@jupyterlab/terminal');
    return {
      id: 'workhorse:terminals',
      description: 'Reconnects terminals as soon as the server is back.',
      autoStart: true,
      requires: [ITerminalTracker],
      activate: (_app, tracker) => returned(() => reconnectTerminals(tracker))
    };
  }

  /** An entry in the launcher: a terminal that makes the environment which a project's files ask for, and its kernel. */
  async function projectKernel() {
    const [{ ILauncher }, { kernelIcon }] = await Promise.all(
      ['@jupyterlab/launcher', '@jupyterlab/ui-components'].map(shared)
    );
    const command = 'workhorse:project-kernel';
    return {
      id: command,
      description: "Makes a kernel of a project's environment.yml, uv.lock, requirements.txt or pyproject.toml.",
      autoStart: true,
      requires: [ILauncher],
      activate: ({ commands }, launcher) => {
        commands.addCommand(command, {
          label: 'Kernel for this folder',
          icon: kernelIcon,
          caption: 'By its environment.yml, uv.lock, requirements.txt or pyproject.toml',
          execute: async ({ cwd }) => {
            const { content } = await commands.execute('terminal:create-new', { cwd });
            content.session.send({ type: 'stdin', content: ['workhorse kernel\r'] });
          }
        });
        launcher.add({ command, category: 'Other' });
      }
    };
  }

  /** An entry in the file browser's context menu, where JupyterLab's own "Download" is for files alone. */
  async function folderDownload() {
    const [{ IFileBrowserFactory }, { downloadIcon }] = await Promise.all(
      ['@jupyterlab/filebrowser', '@jupyterlab/ui-components'].map(shared)
    );
    const command = 'workhorse:download-folder';
    return {
      id: command,
      description: 'Downloads a folder as an archive.',
      autoStart: true,
      requires: [IFileBrowserFactory],
      activate: ({ commands, contextMenu, serviceManager: { contents, serverSettings } }, { tracker }) => {
        const selected = () => [...tracker.currentWidget.selectedItems()];
        commands.addCommand(command, {
          label: 'Download Folder as an Archive',
          icon: downloadIcon.bindprops({ stylesheet: 'menuItem' }),
          // Browsers open one tab for a click. Other drives are none of this server's.
          isVisible: () => selected().length === 1 && !contents.driveName(selected()[0].path),
          execute: () => {
            const path = selected()[0].path.split('/').map(encodeURIComponent).join('/');
            // It closes by itself once it is a download; a refusal is read in it.
            window.open(`${serverSettings.baseUrl}folders/${path}`, '_blank', 'noopener');
          }
        });
        contextMenu.addItem({ command, selector: '.jp-DirListing-item[data-isdir="true"]', rank: 9 });
      }
    };
  }

  /** Adds what is to be done when the server is back. */
  let returned = () => undefined;

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.workhorse = {
    init: scope => {
      shareScope = scope;
    },
    get: async () => {
      const plugins = [reconnection(), terminals(), projectKernel(), folderDownload()];
      const exports = { __esModule: true, default: await Promise.all(plugins) };
      return () => exports;
    }
  };
})();
