import { EngineError } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import type { PlainKey } from '../language/text.ts'
import type { Reader } from '../reader/reader.ts'
import { Moment } from '../parts/moment.tsx'
import { Icon } from '../parts/icon.tsx'
import { isRefusal } from './refusals.ts'
import type { Shown } from './visit.ts'

/** A page of one sentence and a way on. */
export function MiddlePage({
  title,
  icon,
  children,
  way,
}: {
  title: string
  icon?: Child
  children: Child
  way: Child
}) {
  return (
    <div class="page-mid">
      {icon}
      <h1>{title}</h1>
      {children}
      <div class="row">{way}</div>
    </div>
  )
}

/** What an error of the engine means to the reader; undefined: it is not about the request. */
export function shownError(error: unknown, reader: Reader): Shown | undefined {
  if (!(error instanceof EngineError)) return undefined
  const { text, link } = reader
  if (error.code === 'not_found' || error.code === 'not_retained') {
    const title = text('not_kept.title')
    const main = (
      <MiddlePage
        title={title}
        way={
          <a class="btn primary" href={link('deliveries')}>
            {text('not_kept.way')}
          </a>
        }
      >
        <p>{text('not_kept.why')}</p>
        <p class="dim" lang="en">
          {error.message}
        </p>
      </MiddlePage>
    )
    return { title, main, status: 404 }
  }
  if (isRefusal(error)) {
    const title = text('refused.title')
    const main = (
      <MiddlePage title={title} way={<Home reader={reader} />}>
        <p lang="en">{error.message}</p>
      </MiddlePage>
    )
    return { title, main, status: error.code === 'conflict' ? 409 : 400 }
  }
  return undefined
}

/** The page of a failure that is ours: it needs no database. */
export function FailurePage({ reference, here, reader }: { reference: string; here: string; reader: Reader }) {
  const { text } = reader
  return (
    <MiddlePage
      title={text('failure.title')}
      icon={
        <span class="bad tone">
          <Icon name="db" />
        </span>
      }
      way={
        <a class="btn primary" href={here}>
          {text('failure.again')}
        </a>
      }
    >
      <p>{text('failure.why')}</p>
      <dl class="facts">
        <dt>{text('failure.when')}</dt>
        <dd>
          <Moment at={reader.now} reader={reader}>
            {reader.times.clock(reader.now)}
          </Moment>
        </dd>
        <dt>{text('failure.reference')}</dt>
        <dd class="mono">{reference}</dd>
      </dl>
    </MiddlePage>
  )
}

/** The page of a form that is not accepted: its token is old, or the reader may not act. */
export function forbiddenPage({ title, reader }: { title: string; reader: Reader }): Shown {
  return {
    title,
    status: 403,
    main: (
      <MiddlePage title={title} way={<Home reader={reader} />}>
        <p>{reader.text('form_expired.why')}</p>
      </MiddlePage>
    ),
  }
}

const UNREAD = {
  400: ['form_unreadable.title', 'form_unreadable.why'],
  413: ['form_too_large.title', 'form_too_large.why'],
} as const satisfies Record<number, readonly [title: PlainKey, why: PlainKey]>

/** The page of a form that was not read. */
export function unreadPage<Status extends keyof typeof UNREAD>(
  status: Status,
  reader: Reader,
): Omit<Shown, 'status'> & { status: Status } {
  const [title, why] = UNREAD[status]
  const main = (
    <MiddlePage title={reader.text(title)} way={<Home reader={reader} />}>
      <p>{reader.text(why)}</p>
    </MiddlePage>
  )
  return { title: reader.text(title), status, main }
}

/** The page of an address that is none. */
export function noPage(reader: Reader): Shown {
  const title = reader.text('no_page.title')
  return {
    title,
    status: 404,
    main: (
      <MiddlePage title={title} way={<Home reader={reader} />}>
        <p>{reader.text('no_page.why')}</p>
      </MiddlePage>
    ),
  }
}

function Home({ reader: { home, link } }: { reader: Reader }) {
  return (
    <a class="btn primary" href={link()}>
      {home}
    </a>
  )
}
