import type { PortalCapability } from '@keepsend/engine'
import type { Action } from '../site/visit.ts'
import { deadEnd } from './dead-end.tsx'
import type { PortalAction, PortalPage, PortalVisit } from './portal-visit.ts'

/** A page that only a link with the capability shows: one of which nothing but the form is of use. */
export function pageNeeding(needs: PortalCapability, page: PortalPage): PortalPage {
  return { ...page, show: (visit) => (visit.may(needs) ? page.show(visit) : deadEnd('not_allowed', visit.reader)) }
}

/** The action, refused where the link does not allow it. */
export function guarded(action: PortalAction): Action<PortalVisit> {
  return {
    path: action.path,
    section: 'endpoints',
    async act(sent) {
      return sent.may(action.needs) ? action.act(sent) : deadEnd('not_allowed', sent.reader)
    },
  }
}
