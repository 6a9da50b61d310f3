import type { Child } from 'hono/jsx'
import type { PlainKey } from '../language/text.ts'
import { Icon, type IconName } from '../parts/icon.tsx'
import { ThemeSwitch } from '../parts/theme-switch.tsx'
import { Moment } from '../parts/moment.tsx'
import type { Reader } from '../reader/reader.ts'
import { MOST_COUNTED, type Signs } from './signs.ts'

/** The parts of the dashboard, as its navigation lists them. */
const SECTIONS: [section: string, icon: IconName, name: PlainKey][] = [
  ['overview', 'overview', 'nav.overview'],
  ['deliveries', 'deliveries', 'nav.deliveries'],
  ['endpoints', 'endpoints', 'nav.endpoints'],
  ['problems', 'problems', 'nav.problems'],
  ['replays', 'replay', 'nav.replays'],
  ['events', 'events', 'nav.events'],
  ['workspaces', 'workspaces', 'nav.workspaces'],
]

/** The installation that the dashboard shows, and who reads it. */
export interface Surroundings {
  /** Such as `production`; it is always in view. */
  environment: string | undefined
  name: string
  /** The address of this page, to come back to. */
  here: string
  /** Links of the host's own. */
  links: readonly { name: string; href: string }[]
  /** Undefined: they could not be read. */
  signs: Signs | undefined
}

export function Shell({
  section,
  surroundings,
  reader,
  children,
}: {
  section: string | undefined
  surroundings: Surroundings
  reader: Reader
  children: Child
}) {
  const { text, link } = reader
  const { environment, name, links, signs } = surroundings
  return (
    <div class="shell">
      <header class="side">
        <a class="id" href={link()}>
          <Logo />
          Keepsend
          <span class="sr">{text('nav.home')}</span>
        </a>
        {environment === undefined ? null : (
          <span class={environment === 'production' ? 'tag warn' : 'tag'} title={text('environment.title')}>
            {environment}
          </span>
        )}
        <button class="btn icon ghost menu-btn" popovertarget="nav" aria-label={text('nav.menu')}>
          <Icon name="menu" />
        </button>
        <div class="nav-pop" id="nav" popover="auto">
          <nav class="nav" aria-label={text('nav.label')}>
            {SECTIONS.map(([one, icon, label]) => (
              <a href={one === 'overview' ? link() : link(one)} aria-current={one === section ? 'page' : undefined}>
                <Icon name={icon} />
                {text(label)}
                <SectionCount section={one} signs={signs} reader={reader} />
              </a>
            ))}
            {links.map(({ name: label, href }) => (
              <a href={href}>
                <Icon name="out" />
                {label}
              </a>
            ))}
          </nav>
          <div class="side-foot">
            <WorkersSeen signs={signs} reader={reader} />
            <ThemeSwitch here={surroundings.here} reader={reader} />
            <span>{text('signed_in', { name })}</span>
            <span class="row">
              <a class="link" href={link('preferences', { back: surroundings.here })}>
                {text('nav.preferences')}
              </a>
              <a class="link" href={link('keys')} data-key="?">
                {text('keyboard.title')}
              </a>
            </span>
          </div>
        </div>
      </header>
      {children}
    </div>
  )
}

/** A count stands only above 0. */
function SectionCount({ section, signs, reader }: { section: string; signs: Signs | undefined; reader: Reader }) {
  const { text } = reader
  const [count, tone] =
    section === 'problems'
      ? [signs?.openProblems ?? 0, 'bad']
      : section === 'replays'
        ? [signs?.runningReplays ?? 0, 'info']
        : [0, '']
  if (count === 0) return null
  const shown = count > MOST_COUNTED ? `${MOST_COUNTED}+` : String(count)
  return (
    <span class={`count ${tone}`}>
      {shown}
      <span class="sr"> {text(section === 'problems' ? 'problem.open' : 'replay.running')}</span>
    </span>
  )
}

function WorkersSeen({ signs, reader }: { signs: Signs | undefined; reader: Reader }) {
  const { text } = reader
  if (signs?.workers === undefined) return null
  const { count, seenAt } = signs.workers
  if (seenAt === null) return <span class="failed tone">{text('workers.none')}</span>
  return (
    <span class="live">{text.rich('workers.seen', { n: count, seen: <Moment at={seenAt} reader={reader} /> })}</span>
  )
}

function Logo() {
  return (
    <svg class="logo" viewBox="0 0 22 22" aria-hidden="true">
      <rect width="22" height="22" rx="5" fill="currentColor" />
      <path
        d="M6.5 5.5v11M10 11h6.25M13 7.5l3.5 3.5-3.5 3.5"
        fill="none"
        stroke="var(--background)"
        stroke-width="2"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  )
}
