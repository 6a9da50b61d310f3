import type { Reader } from '../reader/reader.ts'
import { MiddlePage } from '../site/problem-page.tsx'
import type { Shown } from '../site/visit.ts'

const STATUS = { not_found: 404, not_allowed: 403 } as const

/** The answer to what there is not, or what the link does not allow, with the way to the endpoints. */
export function deadEnd(what: keyof typeof STATUS, { text, link }: Reader): Shown {
  const title = text(`portal.${what}`)
  const way = (
    <a class="btn primary" href={link()}>
      {text('portal.your_endpoints')}
    </a>
  )
  const main = (
    <MiddlePage title={title} way={way}>
      <p>{text(`portal.${what}_why`)}</p>
    </MiddlePage>
  )
  return { title, main, status: STATUS[what] }
}
