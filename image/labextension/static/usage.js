// Copyright (c) Workhorse contributors. BSD-3-Clause.
//
// Shows in the status bar what this kernel and all that runs use of memory, processors and NVIDIA's cards, and warns before the memory
// is used up, when kernels would be ended for it.

const ASK_MS = 5000;
const WARNING = 0.9;
const WARNING_MS = 30 * 1000;

const gib = bytes => (bytes / 2 ** 30).toFixed(1);

/** Of one processor, between two answers; nothing where there is no former one, or it was another process. */
function percent(now, before, seconds) {
  return before && now[1] >= before[1] && seconds > 0 ? `, ${Math.round((100 * (now[1] - before[1])) / seconds)} %` : '';
}

function sentence(usage, former, kernel) {
  const seconds = former ? usage.seconds - former.seconds : 0;
  const own = usage.kernels[kernel];
  const cpu = percent(usage.all, former?.all, seconds);
  const cards = (usage.cards ?? []).map(([held, memory]) => ` | Card ${gib(held)} of ${gib(memory)} GiB`).join('');
  const all = `All ${gib(usage.all[0])} of ${gib(usage.limit)} GiB${cpu}${cards}`;
  return own ? `Kernel ${gib(own[0])} GiB${percent(own, former?.kernels[kernel], seconds)} | ${all}` : all;
}

/** Tells of full memory once, until there is room again. */
class Warner {
  constructor(warn) {
    this.warn = warn;
    this.isFull = false;
  }

  look({ all: [held], limit }) {
    const isFull = held > WARNING * limit;
    if (isFull && !this.isFull) {
      this.warn(`Kernels and terminals hold ${gib(held)} of ${gib(limit)} GiB: the next to want more may be ended.`);
    }
    this.isFull = isFull;
    return isFull;
  }
}

export async function usage(shared) {
  const [{ ServerConnection }, { IStatusBar }, { Widget }, { Notification: Toast }] = await Promise.all(
    ['@jupyterlab/services', '@jupyterlab/statusbar', '@lumino/widgets', '@jupyterlab/apputils'].map(shared)
  );
  return {
    id: 'workhorse:usage',
    description: 'Shows what kernels use of memory and processors.',
    autoStart: true,
    // The Notebook's pages have none.
    optional: [IStatusBar],
    activate: ({ serviceManager: { serverSettings }, shell }, bar) => {
      if (!bar) {
        return;
      }
      const item = new Widget();
      item.id = 'workhorse-usage';
      item.node.style.padding = '0 0.5em';
      item.title.caption = 'Memory and processors; 100 % is one processor';
      item.node.title = item.title.caption;
      bar.registerStatusItem('workhorse:usage', { item, align: 'left', rank: 3 });

      const warner = new Warner(text => Toast.warning(text, { autoClose: WARNING_MS }));
      let former;
      const look = async () => {
        const answer = await ServerConnection.makeRequest(`${serverSettings.baseUrl}api/usage`, {}, serverSettings);
        if (!answer.ok) {
          throw new Error(answer.statusText);
        }
        const now = await answer.json();
        item.node.textContent = sentence(now, former, shell.currentWidget?.sessionContext?.session?.kernel?.id);
        item.node.style.color = warner.look(now) ? 'var(--jp-error-color1)' : '';
        former = now;
      };
      const again = async () => {
        if (!document.hidden) {
          await look().catch(() => {
            item.node.textContent = '';
          });
        }
        setTimeout(again, ASK_MS);
      };
      again();
    }
  };
}
