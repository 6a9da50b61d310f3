import { raw } from 'hono/html'
import { ICONS } from '../assets/embedded.ts'

export type IconName = keyof typeof ICONS

/** An icon beside a word; the word says what it means. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="i" aria-hidden="true">
      <use href={`#i-${name}`} />
    </svg>
  )
}

/** The drawings of the icons that a page uses, once, hidden at its top: a reference to another file would need `img-src`. */
export function IconDrawings({ page }: { page: string }) {
  const used = new Set([...page.matchAll(/href="#i-([\w-]+)"/g)].map(([, name]) => name as IconName))
  const symbols = [...used].sort().map((name) => `<symbol id="i-${name}" viewBox="0 0 16 16">${ICONS[name]}</symbol>`)
  return (
    <svg width="0" height="0" hidden aria-hidden="true">
      {raw(symbols.join(''))}
    </svg>
  )
}
