import type { PortalCapability } from '@keepsend/engine'
import type { Reader } from '../reader/reader.ts'
import { MiddlePage } from '../site/problem-page.tsx'
import type { Action, Shown } from '../site/visit.ts'
import type { PortalAction, PortalPage, PortalVisit } from './portal-visit.ts'

/** The answer to what the link does not allow. */
function notAllowed({ text, link }: Reader): Shown {
  const title = text('portal.not_allowed')
  const way = (
    <a class="btn primary" href={link()}>
      {text('portal.your_endpoints')}
    </a>
  )
  const main = (
    <MiddlePage title={title} way={way}>
      <p>{text('portal.not_allowed_why')}</p>
    </MiddlePage>
  )
  return { title, main, status: 403 }
}

/** A page that only a link with the capability shows: one of which nothing but the form is of use. */
export function pageNeeding(needs: PortalCapability, page: PortalPage): PortalPage {
  return { ...page, show: (visit) => (visit.may(needs) ? page.show(visit) : notAllowed(visit.reader)) }
}

/** The action, refused where the link does not allow it. */
export function guarded(action: PortalAction): Action<PortalVisit> {
  return {
    path: action.path,
    section: 'endpoints',
    async act(sent) {
      return sent.may(action.needs) ? action.act(sent) : notAllowed(sent.reader)
    },
  }
}
