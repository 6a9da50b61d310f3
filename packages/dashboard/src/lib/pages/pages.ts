import type { Action, Page } from '../visit.ts'
import { deliveriesPage } from './deliveries.tsx'
import { DELIVERY_ACTIONS, deliveryPage, giveUpPage } from './delivery.tsx'
import { overviewPage } from './overview.tsx'
import { preferencesPage } from './preferences.tsx'

/** The pages of the dashboard. */
export const PAGES: readonly Page[] = [overviewPage, deliveriesPage, deliveryPage, giveUpPage, preferencesPage]

/** What its forms do. */
export const ACTIONS: readonly Action[] = [...DELIVERY_ACTIONS]
