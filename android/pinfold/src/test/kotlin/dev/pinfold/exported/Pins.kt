// Made from pin set 7 by pinfold export; change that, not this.
package dev.pinfold.exported

import okhttp3.CertificatePinner

val certificatePinner: CertificatePinner =
    CertificatePinner
        .Builder()
        .add(
            "**.example.com",
            // active: Example CA
            "sha256//IP0qaYJBnhcm6QTtl5LdCGNQ+uSVP0OcXeMbGigU+0=",
            // backup
            "sha256/sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=",
        ).add(
            "api.example.com",
            // active
            "sha256//IP0qaYJBnhcm6QTtl5LdCGNQ+uSVP0OcXeMbGigU+0=",
            // active
            "sha256/sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=",
            // active
            "sha256/C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M=",
        ).add(
            "alone.example.org",
            // active
            "sha256/sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=",
            // active
            "sha256/C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M=",
        ).add(
            "192.0.2.1",
            // active
            "sha256/sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=",
            // active
            "sha256/C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M=",
        ).build()
