import type { EndpointInput } from '@keepsend/engine'
import type { PastAnswer } from './past.ts'

export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS

/** An endpoint of the story, and how its receiver answered. */
export interface StoryEndpoint {
  workspaceId: 'acme-freight' | 'nimbus-labs' | 'lumen-clinic'
  url: string
  input: Omit<EndpointInput, 'url'>
  /** @param agoMs how long before the story's end the request arrives */
  answer(agoMs: number): PastAnswer
}

const quick = (agoMs: number): PastAnswer => ({ status: 200, tookMs: 40 + ((agoMs / 1000) % 90) })
const until = (sinceMs: number, failure: PastAnswer) => (agoMs: number) => (agoMs > sinceMs ? quick(agoMs) : failure)

/** Healthy, slow, limited and failing endpoints of three customers. */
export const ENDPOINTS = {
  orders: {
    workspaceId: 'acme-freight',
    url: 'https://hooks.acme.example.com/plover',
    input: { description: 'Orders of the dispatchers' },
    answer: quick,
  },
  slow: {
    workspaceId: 'acme-freight',
    url: 'https://erp.acme.example.com/inbound/webhooks/plover',
    input: { description: 'ERP', eventTypes: ['message.*'], concurrency: 2 },
    answer: (agoMs) => ({ status: 202, tookMs: 3200 + ((agoMs / 1000) % 6000) }),
  },
  limited: {
    workspaceId: 'acme-freight',
    url: 'https://tickets.acme.example.com/api/v2/webhooks',
    input: { description: 'Tickets', eventTypes: ['message.posted'], rateLimit: 2, ratePeriod: 'hour' },
    answer: quick,
  },
  paused: {
    workspaceId: 'acme-freight',
    url: 'https://warehouse.acme.example.com/events',
    input: { description: 'Warehouse', eventTypes: ['file.*'] },
    answer: quick,
  },
  silent: {
    workspaceId: 'nimbus-labs',
    url: 'https://collector.nimbus.example.com/in',
    input: { description: 'Collector' },
    answer: until(42 * MINUTE_MS, { error: 'timeout', message: 'no answer within 15000 ms', tookMs: 15_000 }),
  },
  refusing: {
    workspaceId: 'nimbus-labs',
    url: 'https://bluebird.nimbus.example.com/webhooks',
    input: { description: 'Bluebird', eventTypes: ['member.*'] },
    answer: until(3 * HOUR_MS, {
      status: 401,
      tookMs: 62,
      headers: { 'content-type': 'application/json' },
      body: '{"error":"invalid_signature","message":"No signature matches the expected one."}',
    }),
  },
  expired: {
    workspaceId: 'nimbus-labs',
    url: 'https://juniper.nimbus.example.com/events',
    input: { description: 'Juniper', eventTypes: ['message.edited'] },
    answer: until(5 * HOUR_MS, {
      error: 'tls',
      message: 'the certificate of the receiver has expired: renew it',
      tookMs: 48,
    }),
  },
  broken: {
    workspaceId: 'lumen-clinic',
    url: 'https://intake.lumen.example.com/hooks/plover',
    input: { description: 'Intake', rateLimit: 20 },
    answer: (agoMs) =>
      agoMs < 2 * HOUR_MS && Math.floor(agoMs / (20 * MINUTE_MS)) % 3 !== 0
        ? { status: 500, tookMs: 210, body: 'ERROR: relation "appointments_v2" does not exist' }
        : quick(agoMs),
  },
  recovered: {
    workspaceId: 'lumen-clinic',
    url: 'https://booking.lumen.example.com/webhooks',
    input: { description: 'Booking', retrySchedule: [30, 60] },
    answer: (agoMs) =>
      agoMs < 8 * HOUR_MS && agoMs > 5 * HOUR_MS
        ? {
            status: 503,
            tookMs: 34,
            headers: { 'content-type': 'text/html' },
            body: '<h1>503 Service Unavailable</h1>',
          }
        : quick(agoMs),
  },
  gone: {
    workspaceId: 'lumen-clinic',
    url: 'https://old.lumen.example.com/plover',
    input: { eventTypes: ['file.*'] },
    answer: until(9 * HOUR_MS, { status: 410, tookMs: 25, body: 'moved' }),
  },
  disabled: {
    workspaceId: 'lumen-clinic',
    url: 'https://archive.lumen.example.com/plover',
    input: { description: 'Archive', eventTypes: ['message.posted'], channels: [] },
    answer: quick,
  },
} as const satisfies Record<string, StoryEndpoint>

export type EndpointName = keyof typeof ENDPOINTS
