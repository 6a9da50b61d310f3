// The script of the pages, which work without it.
import { Idiomorph } from 'idiomorph'

/** Copies `data-copy`, or else the text beside the button. Where there is no clipboard the text is selected instead. */
async function copy(button: HTMLElement): Promise<void> {
  const beside = button.previousElementSibling ?? button.parentElement
  const text = button.dataset['copy'] || beside?.getAttribute('title') || beside?.textContent || ''
  try {
    await navigator.clipboard.writeText(text)
    say(button.dataset['copied'] ?? '')
  } catch {
    if (beside) getSelection()?.selectAllChildren(beside)
  }
}

function say(text: string): void {
  const status = document.querySelector('[data-status]')
  if (status) status.textContent = text
}

/** Fetches the page again and changes only what differs: focus and scroll stay. */
async function refresh(): Promise<void> {
  const response = await fetch(location.href, { headers: { accept: 'text/html' } })
  if (!response.ok || response.redirected) return
  const page = new DOMParser().parseFromString(await response.text(), 'text/html')
  const next = page.querySelector('main')
  const main = document.querySelector('main')
  if (!next || !main) return
  Idiomorph.morph(main, next, {
    callbacks: {
      // Parts that the reader has opened, and fields that they write in, stay.
      beforeAttributeUpdated: (name: string, node: Element) =>
        !(name === 'open' && node.tagName === 'DETAILS') && !(node === document.activeElement && name === 'value'),
    },
  })
}

let isPaused = false
function live(): void {
  const every = Number(document.querySelector<HTMLElement>('main')?.dataset['live'] ?? 0)
  if (!every) return
  setInterval(() => {
    if (!isPaused && !document.hidden && !document.querySelector('dialog[open]'))
      refresh().catch(() => say(document.querySelector<HTMLElement>('main')?.dataset['stale'] ?? ''))
  }, every)
}

/** The rows of the list that keys move through. */
const rows = (): HTMLAnchorElement[] => [...document.querySelectorAll<HTMLAnchorElement>('main table.rows td.a a')]

function move(by: number): void {
  const all = rows()
  const at = all.findIndex((link) => link === document.activeElement)
  all[Math.min(all.length - 1, Math.max(0, at + by))]?.focus()
}

const keysAreOn = (): boolean => document.documentElement.dataset['keys'] !== 'off'

document.addEventListener('keydown', (event) => {
  const target = event.target as HTMLElement
  if (event.ctrlKey || event.metaKey || event.altKey || !keysAreOn()) return
  if (target.closest('input, select, textarea, [contenteditable]')) return
  if (event.key === '/') document.querySelector<HTMLInputElement>('input[type=search]')?.focus()
  else if (event.key === 'j') move(1)
  else if (event.key === 'k') move(-1)
  else if (event.key === 'r') document.querySelector<HTMLElement>('.acts [data-key=r]')?.focus()
  else if (event.key === '?') document.querySelector<HTMLAnchorElement>('a[data-key="?"]')?.click()
  else return
  event.preventDefault()
})

document.addEventListener('click', (event) => {
  const target = (event.target as Element).closest<HTMLElement>('button')
  if (target?.matches('[data-copy]')) void copy(target)
  if (target?.matches('[data-pause]')) {
    isPaused = !isPaused
    target.setAttribute('aria-pressed', String(isPaused))
  }
})

document.addEventListener('input', (event) => {
  const find = event.target as HTMLInputElement
  if (!find.matches('[data-find]')) return
  const wanted = find.value.trim().toLowerCase()
  for (const one of find.closest('.tree')?.querySelectorAll<HTMLElement>(find.dataset['find'] ?? '') ?? []) {
    one.hidden = !one.textContent?.toLowerCase().includes(wanted)
    const group = one.closest('details')
    if (wanted && !one.hidden && group) group.open = true
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

live()

// In a frame the element around it wants to know how high the page is.
if (parent !== window)
  new ResizeObserver(() =>
    parent.postMessage({ keepsendPortalHeight: document.documentElement.scrollHeight }, '*'),
  ).observe(document.body)
