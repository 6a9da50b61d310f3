// The script of the pages, which work without it.
import { Idiomorph } from 'idiomorph'

const page = document.documentElement.dataset
const one = (selector: string): HTMLElement | null => document.querySelector(selector)
const main = (): HTMLElement | null => one('main')

/** Copies `data-copy`, or else the text beside the button. Where there is no clipboard the text is selected, or the link followed. */
async function copy(button: HTMLElement): Promise<void> {
  const beside = button.previousElementSibling ?? button.parentElement
  const text = button.dataset['copy'] || beside?.getAttribute('title') || beside?.textContent || ''
  try {
    await navigator.clipboard.writeText(text)
    say(one('[data-copied]')?.dataset['copied'] ?? '')
  } catch {
    if (button instanceof HTMLAnchorElement) location.href = button.href
    else if (beside) getSelection()?.selectAllChildren(beside)
  }
}

function say(text: string): void {
  const status = one('[data-status]')
  if (status) status.textContent = text
}

/** A list does not move under a row that has the focus or is chosen. */
const isInUse = (node: Element): boolean =>
  node.tagName === 'TBODY' && (node.contains(document.activeElement) || node.querySelector(':checked') !== null)

/** Fetches the page again and changes only the differences: focus and scroll stay. */
async function refresh(): Promise<void> {
  const response = await fetch(location.href, { headers: { accept: 'text/html' } })
  if (!response.ok || response.redirected) throw new Error(String(response.status))
  const next = new DOMParser().parseFromString(await response.text(), 'text/html').querySelector('main')
  const shown = main()
  if (!next || !shown) return
  Idiomorph.morph(shown, next, {
    callbacks: {
      beforeNodeMorphed: (node: Node) => !(node instanceof Element && isInUse(node)),
      // Parts that the reader has opened, and fields that they write in, stay.
      beforeAttributeUpdated: (name: string, node: Element) =>
        !(name === 'open' && node.tagName === 'DETAILS') && !(node === document.activeElement && name === 'value'),
    },
  })
  sayProgress()
}

const SAID_EVERY_MS = 5000
let saidAt = 0
/** A progress that changes is said at most every five seconds. */
function sayProgress(): void {
  const text = one('[data-said]')?.textContent ?? ''
  if (text === '' || Date.now() - saidAt < SAID_EVERY_MS || text === one('[data-status]')?.textContent) return
  saidAt = Date.now()
  say(text)
}

const MAX_FAILURES = 3
let isPaused = false
let failures = 0
let timer = 0

/** Looks again as often as the page says, while it is in view. After failures in a row it stops, and says so. */
function live(): void {
  clearTimeout(timer)
  const every = Number(main()?.dataset['live'] ?? 0)
  if (every) timer = window.setTimeout(() => void look(), every * (1 + failures))
}

async function look(): Promise<void> {
  if (isPaused || document.hidden) return live()
  try {
    await refresh()
    failures = 0
  } catch {
    if (++failures >= MAX_FAILURES) return stale()
  }
  live()
}

function stale(): void {
  const note = document.createElement('p')
  note.className = 'note warn'
  note.role = 'alert'
  note.textContent = main()?.dataset['stale'] ?? ''
  main()?.prepend(note)
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden && timer) void look()
})

/** The rows of the list that keys move through. */
const rows = (): HTMLAnchorElement[] => [...document.querySelectorAll<HTMLAnchorElement>('main .rows td.a a')]

function move(by: number): void {
  const all = rows()
  const at = all.findIndex((link) => link === document.activeElement)
  all[Math.min(all.length - 1, Math.max(0, at + by))]?.focus()
}

/** The main action of the page: a link is followed, and a button gets the focus, so that Enter confirms it. */
function act(): void {
  const row = document.activeElement?.closest('tr')
  const target =
    row?.querySelector<HTMLElement>('[data-key=r]') ??
    one('.picks:has(tbody :checked) [data-key=r]') ??
    one('.acts [data-key=r]')
  if (target instanceof HTMLAnchorElement) target.click()
  else target?.focus()
}

const KEYS: Readonly<Record<string, () => void>> = {
  '/': () => one('input[type=search]')?.focus(),
  j: () => move(1),
  k: () => move(-1),
  x: () => document.activeElement?.closest('tr')?.querySelector<HTMLElement>('[type=checkbox]')?.click(),
  r: act,
  '?': () => one('a[data-key="?"]')?.click(),
}

document.addEventListener('keydown', (event) => {
  const key = KEYS[event.key]
  if (!key || event.ctrlKey || event.metaKey || event.altKey || page['keys'] === 'off') return
  const field = (event.target as Element).closest<HTMLInputElement>('input, select, textarea, [contenteditable]')
  if (field && field.type !== 'checkbox') return
  key()
  event.preventDefault()
})

document.addEventListener('click', (event) => {
  const clicked = event.target as Element
  const copied = clicked.closest<HTMLElement>('[data-copy]')
  if (copied) {
    event.preventDefault()
    void copy(copied)
  }
  const pause = clicked.closest('[data-pause]')
  if (pause) {
    isPaused = !isPaused
    pause.setAttribute('aria-pressed', String(isPaused))
  }
  for (const menu of document.querySelectorAll('details.menu[open]'))
    if (copied || !menu.contains(clicked)) menu.removeAttribute('open')
})

document.addEventListener('input', (event) => {
  const find = event.target as HTMLInputElement
  if (!find.matches('[data-find]')) return
  const wanted = find.value.trim().toLowerCase()
  // The choices, and not the groups around them.
  for (const item of find.closest('.tree')?.querySelectorAll<HTMLElement>('li li') ?? []) {
    item.hidden = !item.textContent?.toLowerCase().includes(wanted)
    const group = item.closest('details')
    if (wanted && !item.hidden && group) group.open = true
  }
})

document.addEventListener('change', (event) => {
  const choice = event.target as HTMLInputElement
  if (!choice.matches('[data-in-address]')) return
  const address = new URL(location.href)
  address.searchParams.set(choice.name, choice.value)
  history.replaceState(history.state, '', address)
})

document.addEventListener('change', (event) => {
  const all = event.target as HTMLInputElement
  if (!all.matches('[data-all]')) return
  for (const box of all.closest('table')?.querySelectorAll<HTMLInputElement>('tbody [type=checkbox]') ?? [])
    box.checked = all.checked
})

const RULES: Readonly<Record<string, (url: URL) => boolean>> = {
  https: ({ protocol }) => protocol === 'https:',
  public: ({ hostname }) => hostname.includes('.') && !/^[\d.]+$|\.(local|internal|localhost)$/.test(hostname),
  port: ({ port }) => ['', '443', '8443'].includes(port),
  credentials: ({ username, password }) => username + password === '',
}

function tick({ value }: HTMLInputElement): void {
  const url = URL.canParse(value) ? new URL(value) : undefined
  for (const rule of document.querySelectorAll<HTMLElement>('[data-rule]')) {
    // The server's answer was about another URL.
    rule.classList.remove('no')
    rule.querySelector('.sr')?.remove()
    rule.classList.toggle('yes', url !== undefined && RULES[rule.dataset['rule'] ?? '']?.(url) === true)
  }
}

document.addEventListener('input', (event) => {
  const field = event.target as HTMLInputElement
  if (field.type === 'url') tick(field)
})

live()

// In a frame the element around it wants to know how high the page is.
if (parent !== window)
  new ResizeObserver(() =>
    parent.postMessage({ keepsendPortalHeight: document.documentElement.scrollHeight }, '*'),
  ).observe(document.body)
