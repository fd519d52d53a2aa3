import type { RequestHandler } from 'express'

/** Widgets run on any site: its origin is reflected, on answers to preflights too. */
export const cors: RequestHandler = (request, response, next) => {
  response.set({ 'Cache-Control': 'no-store', Vary: 'Origin' })
  const origin = request.get('origin')
  if (origin !== undefined)
    response.set({ 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true' })
  if (request.method !== 'OPTIONS') return next()
  response
    .set({
      'Access-Control-Allow-Methods': 'GET, HEAD, POST, OPTIONS',
      'Access-Control-Allow-Headers': request.get('access-control-request-headers') ?? 'Content-Type',
    })
    .sendStatus(204)
}
