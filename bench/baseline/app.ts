import express from 'express'
import { connected } from './database.js'
import { leadsRouter } from './leads-router.js'
import { cors } from './middleware/cors.js'
import { answerErrors } from './middleware/errors.js'

/**
 * The usual alternative: `POST` and `GET /api/leads` with Express and Mongoose, which the product is measured against.
 * Rules without a database in them (phones, BHK, search keys, signs of spam, what of free-form input is kept) are the
 * product's own modules: what is compared is what carries them. As a function of Vercel it is the app itself.
 */
const app = express()
app.disable('x-powered-by')
// Answers are not to be stored, as the product's: a tag of each would be work that it does not do.
app.disable('etag')
app.use(cors, express.json({ limit: '512kb' }), connected)
app.use('/api/leads', leadsRouter)
app.use(answerErrors)

export default app
