import type { RequestTemplate } from './request-template.js'
import { MICROSITE, sampleConversation, sampleMetadata } from './sample-lead.js'

/** A lead as the widget submits it, from a visitor whom nobody has seen before. */
export const captureRequest: RequestTemplate = {
  method: 'POST',
  path: '/api/leads',
  headers: {
    origin: 'https://nivasa-enchante.example',
    'content-type': 'application/json',
    'user-agent': sampleMetadata.visitor.userAgent,
    // The platform sets it: every visitor has one, and counts against a rate limit of their own.
    'x-real-ip': '{{address}}',
  },
  body: JSON.stringify({
    phone: '{{phone}}',
    bhkType: '1 Bhk',
    microsite: MICROSITE,
    metadata: sampleMetadata,
    conversation: sampleConversation(() => '{{uuid}}'),
  }),
  expects: 201,
}

/** The first page of a microsite, as its dashboard shows it. */
export function listRequest(authorization: string): RequestTemplate {
  const query = new URLSearchParams({ microsite: MICROSITE, limit: '50' })
  return { method: 'GET', path: `/api/leads?${query}`, headers: { authorization }, expects: 200 }
}
